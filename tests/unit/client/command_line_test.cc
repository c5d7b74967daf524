#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>

#include "client/cli/id_arguments.h"
#include "client/cli/job_json.h"
#include "client/cli/job_source.h"
#include "client/cli/job_text.h"
#include "client/cli/option_takers.h"
#include "client/cli/output_choice.h"
#include "client/cli/progress_bar.h"
#include "common/base/entropy.h"

namespace rota::cli {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using namespace std::chrono_literals;

TEST(IndexRangeTest, StepsEndAtOrBeforeTheLastIndex) {
  EXPECT_EQ(parse_index_range("1-100")->count(), 100U);
  EXPECT_EQ(parse_index_range("0-99:10")->count(), 10U);
  EXPECT_EQ(parse_index_range("0-100:30")->count(), 4U);
  EXPECT_EQ(parse_index_range("5-5")->count(), 1U);
}

TEST(IndexRangeTest, AnythingElseIsRefused) {
  for (const char* text : {"", "1", "1-", "-1-5", "5-1", "1-5:0", "1-5:", "1-5:2x", "a-b", "1-99999999999999999999"}) {
    const Result<IndexRange> range = parse_index_range(text);
    ASSERT_FALSE(range.ok()) << text;
    EXPECT_THAT(range.error().message, HasSubstr("A-B"));
  }
}

TEST(BackoffTest, TakesOneToThreeParts) {
  client::JobOptions options;
  ASSERT_TRUE(backoff(options)("5s").ok());
  EXPECT_EQ(options.backoff, 5s);
  ASSERT_TRUE(backoff(options)("2s,1.5,1h").ok());
  EXPECT_EQ(options.backoff, 2s);
  EXPECT_EQ(options.backoff_factor_milli, 1500U);
  EXPECT_EQ(options.backoff_max, 1h);
  for (const char* text : {"", "x", "1s,", "1s,0.5", "1s,2,500ms", "1s,2,1m,4", "1s,nan", "1s,100.1"}) {
    EXPECT_FALSE(backoff(options)(text).ok()) << text;
  }
}

TEST(BackoffTest, FactorGoesToTheLimitThatTheMessageNames) {
  client::JobOptions options;
  ASSERT_TRUE(backoff(options)("1s,100").ok());
  EXPECT_EQ(options.backoff_factor_milli, limits::kMaxBackoffFactorMilli);
  EXPECT_THAT(backoff(options)("1s,101").error().message, HasSubstr("1 to 100,"));
}

TEST(ProgressLineTest, NeverReachesTheLastColumn) {
  EXPECT_EQ(progress_line(15, 30, 2, 7.4, 80), "[###############...............] 15/30, 2 failed, 7/s");
  EXPECT_EQ(progress_line(15, 30, 0, 7.4, 24), "[#####.....] 15/30, 7/s");
  EXPECT_EQ(progress_line(15, 30, 0, 7.4, 15), "15/30, 7/s");
  for (std::size_t columns = 0; columns <= 100; ++columns) {
    EXPECT_LE(progress_line(123456, 4000000, 999, 54321, columns).size(), columns == 0 ? 0 : columns - 1);
  }
}

TEST(OutputChoiceTest, OptionGoesBeforeEnvironmentAndFile) {
  const auto chosen = [](std::vector<const char*> words) { return output_chosen(words); };
  ::unsetenv("ROTA_OUTPUT");
  EXPECT_EQ(chosen({"rota", "submit"}), "text");
  EXPECT_EQ(chosen({"rota", "--output", "json", "submit"}), "json");
  EXPECT_EQ(chosen({"rota", "submit", "--output=json"}), "json");
  EXPECT_EQ(chosen({"rota", "--output", "xml"}), "text");
  EXPECT_EQ(chosen({"rota", "--output"}), "text");
  ::setenv("ROTA_OUTPUT", "json", 1);
  EXPECT_EQ(chosen({"rota"}), "json");
  EXPECT_EQ(chosen({"rota", "--output", "text"}), "text");
  ::unsetenv("ROTA_OUTPUT");
}

TEST(IdArgumentsTest, WordsThatAreNoIdsAreNamed) {
  for (const char* word : {"x", "0193b2f0-6cf8-4656-8a2b-0123456789ab", "1234567", "--"}) {
    const auto ids = parse_ids({word});
    ASSERT_FALSE(ids.ok()) << word;
    EXPECT_THAT(ids.error().message, HasSubstr(word));
  }
}

TEST(IdArgumentsTest, IdsAreTakenWholeAndShortened) {
  const JobId id = *parse_uuid("0193b2f0-6cf8-7656-8a2b-0123456789ab");
  const auto ids =
      parse_ids({"0193b2f0-6cf8-7656-8a2b-0123456789ab", "0193B2F06CF876568A2B0123456789AB", "2b-0123456789AB"});
  ASSERT_TRUE(ids.ok()) << ids.error().message;
  EXPECT_EQ((*ids)[0].id, id);
  EXPECT_EQ((*ids)[1].id, id);
  EXPECT_TRUE((*ids)[2].id.is_nil());
  EXPECT_EQ((*ids)[2].ending, "2b0123456789ab");
}

TEST(ListOptionsTest, CursorIsTakenAsItWasPrinted) {
  std::string cursor;
  const std::string bytes("\x00\xff\x7f", 3);
  EXPECT_EQ(hex_text(bytes), "00ff7f");
  ASSERT_TRUE(list_cursor(cursor)("00FF7f").ok());
  EXPECT_EQ(cursor, bytes);
  for (const std::string& text : {std::string(), std::string("0"), std::string("0g"), std::string("00f"), std::string("0x"),
                                  std::string("-1"), std::string(2 * limits::kMaxCursor + 2, '0')}) {
    EXPECT_THAT(list_cursor(cursor)(text).error().message, HasSubstr("rota list")) << text;
  }
  EXPECT_EQ(more_json("00ff"), R"({"more":{"from":"00ff"}})");
}

TEST(ListOptionsTest, StatesAreNamesSeparatedByCommas) {
  std::uint32_t states = 0;
  ASSERT_TRUE(job_states(states, kFinalStates)("failed,expired").ok());
  EXPECT_EQ(states, state_bit(JobState::failed) | state_bit(JobState::expired));
  for (const char* text : {"", "ready", "failed,", "Failed", "failed,running"}) {
    EXPECT_THAT(job_states(states, kFinalStates)(text).error().message,
                HasSubstr("succeeded, failed, cancelled or expired; several separated by commas"))
        << text;
  }
}

// A submit as its options leave it, without the program around.
class SubmitOptionsTest : public ::testing::Test {
 protected:
  SubmitOptionsTest() : options("rota", "test") { set.declare(options, nullptr); }

  Result<SubmitOptions> finish(std::vector<const char*> words, std::optional<std::vector<std::string>> command) {
    words.insert(words.begin(), "rota");
    const auto exit = options.parse(static_cast<int>(words.size()), words.data());
    if (exit) return Error{Code::internal, "exit " + std::to_string(*exit)};
    return set.finish(command);
  }

  program::Options options;
  SubmitOptionSet set;
};

TEST_F(SubmitOptionsTest, CommandBecomesAnExecJob) {
  const auto job =
      finish({"--env", "A=1", "--env", "B=x=y", "--cwd", "/tmp", "--retries", "3", "--keep", "0"}, {{"ls", "-l"}});
  ASSERT_TRUE(job.ok()) << job.error().message;
  EXPECT_EQ(job->shared.type, "exec");
  EXPECT_THAT(job->shared.command->argv, ElementsAre("ls", "-l"));
  EXPECT_THAT(job->shared.command->env, ElementsAre(client::StringPair{"A", "1"}, client::StringPair{"B", "x=y"}));
  EXPECT_EQ(job->shared.options.retries, 3U);
  EXPECT_EQ(job->shared.options.keep, Millis{0});
}

TEST_F(SubmitOptionsTest, NothingToRunIsAUsageError) {
  EXPECT_THAT(finish({}, std::nullopt).error().message, HasSubstr("--type"));
}

TEST_F(SubmitOptionsTest, HandlerAndCommandExcludeEachOther) {
  EXPECT_THAT(finish({"--type", "resize"}, {{"ls"}}).error().message, HasSubstr("exclude"));
}

TEST_F(SubmitOptionsTest, IdOfAnotherQueueNamesTheCommandThatMakesIds) {
  Prng random(random_u64());
  const std::string id = to_string(make_job_id(read_clocks().wall, slot_of_queue("other"), random));
  EXPECT_THAT(finish({"--id", id.c_str()}, {{"ls"}}).error().message, HasSubstr("rota id"));
}

TEST_F(SubmitOptionsTest, RandomUuidIsAUsageErrorThatNamesTheCommandThatMakesIds) {
  ::testing::internal::CaptureStderr();
  EXPECT_EQ(finish({"--id", "3f2c9a1e-5b7d-4c1a-9e8f-0123456789ab"}, {{"ls"}}).error().message, "exit 64");
  EXPECT_THAT(::testing::internal::GetCapturedStderr(), HasSubstr("rota id"));
}

TEST_F(SubmitOptionsTest, NegativeDurationIsAUsageErrorThatSaysWhatIsAllowed) {
  ::testing::internal::CaptureStderr();
  EXPECT_EQ(finish({"--delay=-5s"}, {{"ls"}}).error().message, "exit 64");
  EXPECT_THAT(::testing::internal::GetCapturedStderr(), HasSubstr("10s"));
}

TEST_F(SubmitOptionsTest, KeyBelongsToASingleJob) { EXPECT_FALSE(finish({"--key", "k", "--array", "1-2"}, {{"ls"}}).ok()); }

TEST_F(SubmitOptionsTest, DelayAndTimeExcludeEachOther) {
  EXPECT_FALSE(finish({"--delay", "5s", "--at", "2030-01-01T00:00:00Z"}, {{"ls"}}).ok());
}

TEST_F(SubmitOptionsTest, HeaderGivenTwiceIsNamed) {
  const auto job = finish({"--header", "a=b", "--header", "x=y", "--header", "a=c"}, {{"ls"}});
  ASSERT_FALSE(job.ok());
  EXPECT_THAT(job.error().message, HasSubstr("--header: 'a'"));
}

// A file with the given content, removed at the end.
class LineFile {
 public:
  explicit LineFile(const std::string& content) {
    const int fd = ::mkstemp(path_.data());
    EXPECT_GE(fd, 0);
    EXPECT_EQ(::write(fd, content.data(), content.size()), static_cast<ssize_t>(content.size()));
    ::close(fd);
  }
  ~LineFile() { ::unlink(path_.c_str()); }
  LineFile(const LineFile&) = delete;
  LineFile& operator=(const LineFile&) = delete;
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  std::string path_ = ::testing::TempDir() + "rota-lines-XXXXXX";
};

std::vector<std::string> lines_of(JobSource& source) {
  std::vector<std::string> lines;
  for (;;) {
    client::JobItem item;
    const Result<JobSource::Next> next = source.next(item);
    if (!next) {
      lines.push_back("error: " + next.error().message);
      return lines;
    }
    if (*next == JobSource::Next::end) return lines;
    lines.emplace_back(*item.line);
  }
}

TEST(JobSourceTest, EveryLineIsAJobTheLastOneWithoutItsEndToo) {
  const LineFile file("first\n\nthird with blanks \nlast");
  SubmitOptions options;
  options.each_line = file.path();
  const auto source = make_job_source(options);
  ASSERT_TRUE(source.ok());
  EXPECT_THAT(lines_of(**source), ElementsAre("first", "", "third with blanks ", "last"));
}

TEST(JobSourceTest, LongestLinePassesAndALongerOneIsNamed) {
  const std::string longest(limits::kMaxLine, 'x');
  const LineFile file(longest + "\nshort\n" + longest + "y\nnever\n");
  SubmitOptions options;
  options.each_line = file.path();
  const auto source = make_job_source(options);
  EXPECT_THAT(lines_of(**source), ElementsAre(longest, "short", HasSubstr("line 3")));
}

TEST(JobSourceTest, NulIsNamedWithItsLine) {
  const LineFile file(std::string("first\nsec\0nd\nthird\n", 20));
  SubmitOptions options;
  options.each_line = file.path();
  const auto source = make_job_source(options);
  EXPECT_THAT(lines_of(**source), ElementsAre("first", HasSubstr("line 2")));
}

TEST(JobSourceTest, ArrayYieldsItsIndexes) {
  SubmitOptions options;
  options.array = *parse_index_range("3-10:3");
  const auto source = make_job_source(options);
  std::vector<std::int64_t> indexes;
  client::JobItem item;
  while (*(*source)->next(item) == JobSource::Next::job) indexes.push_back(*item.index);
  EXPECT_THAT(indexes, ElementsAre(3, 6, 9));
}

TEST(JobJsonTest, AbsentFieldsAreLeftOutAndTimesAreUtc) {
  client::Job job;
  job.id = *parse_uuid("0193b2f0-6cf8-7656-8a2b-0123456789ab");
  job.queue = "default";
  job.type = "exec";
  job.state = JobState::failed;
  job.created_at = Wall{1'000};
  job.exit_code = 3;
  job.error_code = "EXIT";
  job.error_message = "exit code 3";
  EXPECT_EQ(job_json(job),
            R"({"id":"0193b2f0-6cf8-7656-8a2b-0123456789ab","queue":"default","type":"exec","state":"failed",)"
            R"("cancel_requested":false,"priority":0,"attempt":0,"losses":0,"retries":0,)"
            R"("created_at":"1970-01-01T00:00:01.000Z","exit_code":3,"error":{"code":"EXIT","message":"exit code 3"},)"
            R"("result_size":0,"durability":"fsync"})");
}

TEST(JobJsonTest, ResultThatIsNoTextIsBase64) {
  client::Job job;
  job.result = std::string("\xff\x00\x01", 3);
  EXPECT_THAT(job_json(job, true), HasSubstr(R"("result_base64":"/wAB")"));
  job.result = "line\n";
  EXPECT_THAT(job_json(job, true), HasSubstr(R"("result":"line\n")"));
}

TEST(JobJsonTest, ErrorTellsWhetherTryingAgainHelps) {
  EXPECT_EQ(error_json({Code::store_full, "full"}), R"({"error":{"code":"STORE_FULL","message":"full","retryable":true}})");
}

TEST(JobTextTest, ColumnsAreAligned) {
  const std::vector<client::AdminRow> rows{{{"queue", std::string("default")}, {"ready", std::int64_t{12}}},
                                           {{"queue", std::string("b")}, {"ready", std::int64_t{3}}}};
  EXPECT_EQ(row_table(rows, true), "QUEUE    READY\ndefault     12\nb            3\n");
}

TEST(JobTextTest, ColumnsAreThoseOfAllRows) {
  const std::vector<client::AdminRow> rows{
      {{"queue", std::string("a")}, {"ready", std::int64_t{1}}},
      {{"queue", std::string("b")}, {"age", std::int64_t{9}}, {"ready", std::int64_t{2}}, {"last", true}}};
  EXPECT_EQ(row_table(rows, true), "QUEUE  AGE  READY  LAST\na        -      1  -\nb        9      2  yes\n");
}

}  // namespace
}  // namespace rota::cli

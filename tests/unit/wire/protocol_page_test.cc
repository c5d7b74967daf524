#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <set>
#include <sstream>

#include "common/wire/codec.h"
#include "tests/unit/wire/hex_file.h"
#include "tests/unit/wire/samples.h"

// docs/protocol.md says what the code does: its hex examples are the golden files, its tables the code's numbers.
namespace rota::wire::test {
namespace {

using testing::HasSubstr;

std::string page() { return read_text_file(std::string(ROTA_SOURCE_DIR) + "/docs/protocol.md"); }

// The blocks that begin with ```hex NAME.
std::multimap<std::string, std::string> examples() {
  std::multimap<std::string, std::string> out;
  std::istringstream lines(page());
  std::string name;
  std::string block;
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("```hex ")) {
      name = line.substr(7);
      block.clear();
    } else if (line == "```" && !name.empty()) {
      out.emplace(name, block);
      name.clear();
    } else if (!name.empty()) {
      block += line + '\n';
    }
  }
  return out;
}

std::string hex16(std::uint64_t value) {
  std::ostringstream out;
  out << std::hex;
  out.width(16);
  out.fill('0');
  out << value;
  return out.str();
}

TEST(ProtocolPage, EveryHexExampleIsAGoldenFile) {
  const auto all = examples();
  ASSERT_FALSE(all.empty());
  for (const auto& [name, block] : all) {
    const auto golden = read_golden(name);
    ASSERT_TRUE(golden.has_value()) << name;
    EXPECT_EQ(testing::PrintToString(parse_hex(block)), testing::PrintToString(*golden)) << name;
  }
}

TEST(ProtocolPage, EveryGoldenFileIsAnExample) {
  const auto all = examples();
  for (const Sample& sample : samples()) EXPECT_EQ(all.count(std::string(sample.name)), 1U) << sample.name;
  for (const char* stored : {"spec", "report", "item_body"}) EXPECT_EQ(all.count(stored), 1U) << stored;
}

TEST(ProtocolPage, EveryMessageStandsInTheTableUnderItsNumber) {
  const std::string text = page();
  for (const Sample& sample : samples()) {
    const MessageType type = type_of(sample.message.body);
    EXPECT_THAT(text, HasSubstr("\n| " + std::to_string(static_cast<unsigned>(type)) + " | " +
                                std::string(message_name(type)) + " | "));
  }
  for (const MessageType type : {MessageType::event, MessageType::output}) {
    EXPECT_EQ(message_name(type), "RESERVED");
    EXPECT_THAT(text, HasSubstr(std::to_string(static_cast<unsigned>(type)) + " "));
  }
}

TEST(ProtocolPage, EveryCodeStandsInTheTable) {
  std::set<std::string> lines;
  std::istringstream text(page());
  for (std::string line; std::getline(text, line);) lines.insert(line);
  for (unsigned number = 0; number < kCodeCount; ++number) {
    const auto code = static_cast<Code>(number);
    const std::string begin = "| " + std::to_string(number) + " | " + std::string(code_name(code)) + " | ";
    const auto found = lines.lower_bound(begin);
    ASSERT_TRUE(found != lines.end() && found->starts_with(begin)) << begin;
    const char* retryable = code == Code::ok ? " | – |" : is_retryable(code) ? " | yes |" : " | no |";
    EXPECT_TRUE(found->ends_with(retryable)) << *found;
  }
}

TEST(ProtocolPage, LimitsAreThoseOfTheCode) {
  const std::string text = page();
  const std::vector<std::pair<std::string, std::uint64_t>> expected = {
      {"queue and type name", limits::kMaxQueueName},
      {"worker name", limits::kMaxWorkerName},
      {"job name", limits::kMaxJobName},
      {"key", limits::kMaxKey},
      {"headers", limits::kMaxHeaders},
      {"headers together", limits::kMaxHeaderBytes},
      {"labels", limits::kMaxLabels},
      {"argv and env of one command", limits::kMaxArguments},
      {"one command", limits::kMaxCommandBytes},
      {"line", limits::kMaxLine},
      {"error code", limits::kMaxErrorCode},
      {"error message", limits::kMaxErrorMessage},
      {"stderr tail", limits::kMaxStderrTail},
      {"progress message", limits::kMaxProgressMessage},
      {"payload (max_payload)", limits::kDefaultMaxPayload},
      {"result in NOTIFY", limits::kMaxInlineResult},
      {"items in one message (max_batch)", limits::kMaxBatch},
      {"shared parts in one message", limits::kMaxShared},
      {"one message (max_message)", limits::kMaxMessageBytes},
      {"msgpack values in one message", limits::kMaxElements},
      {"nesting of msgpack containers", limits::kMaxNesting},
      {"keys of one map", limits::kMaxMapKeys},
      {"tokens in one HELLO", limits::kMaxTokensInHello},
      {"jobs in RECLAIM, RELEASED, CANCEL_JOBS", limits::kMaxCredit},
      {"credit", limits::kMaxCredit},
      {"slots of a worker", limits::kMaxSlots},
      {"queues of a worker", limits::kMaxQueuesPerWorker},
      {"types of a worker", limits::kMaxTypesPerWorker},
      {"weight of a queue", limits::kMaxQueueWeight},
      {"jobs in LISTED", limits::kMaxListJobs},
      {"cursor", limits::kMaxCursor},
      {"retries", limits::kMaxRetries},
      {"losses", limits::kMaxLosses},
  };
  for (const auto& [name, value] : expected) {
    const std::string row = "\n| " + name + " | " + std::to_string(value);
    EXPECT_TRUE(text.find(row + " ") != std::string::npos) << row;
  }
}

TEST(ProtocolPage, DefaultsOfOptionsAreThoseOfTheCode) {
  const JobOptions defaults;
  const std::string text = page();
  EXPECT_THAT(text, HasSubstr("| 5 | backoff | ms | " + std::to_string(defaults.backoff.count()) + " |"));
  EXPECT_THAT(text, HasSubstr("| 6 | backoff_factor | uint | " + std::to_string(defaults.backoff_factor_milli) + " |"));
  EXPECT_THAT(text, HasSubstr("| 8 | losses | uint | " + std::to_string(defaults.losses) + " |"));
  EXPECT_EQ(defaults.backoff_max, Millis{600'000});
  EXPECT_EQ(limits::kMaxDuration, Millis{316'224'000'000});
  EXPECT_EQ(slot_of_queue("default"), 0x656);
}

TEST(ProtocolPage, ContentVectorsAreThoseOfTheCode) {
  const std::string text = page();
  SubmitShared typed;
  typed.queue = "default";
  typed.type = "thumbnail";
  SubmitShared command{"default", "exec", {}, sample_spec()};
  SubmitItem item;
  EXPECT_THAT(text, HasSubstr(hex16(shared_content_hash(typed))));
  EXPECT_THAT(text, HasSubstr(hex16(content_hash(shared_content_hash(typed), item))));
  EXPECT_THAT(text, HasSubstr(hex16(shared_content_hash(command))));
  item.selector = {Selector::Kind::index, -3, {}};
  EXPECT_THAT(text, HasSubstr(hex16(content_hash(shared_content_hash(command), item))));
}

}  // namespace
}  // namespace rota::wire::test

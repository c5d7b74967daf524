#include <gtest/gtest.h>

#include <functional>

#include "common/wire/codec.h"
#include "tests/unit/wire/samples.h"

// Every rule and limit of docs/protocol.md: what just keeps it is taken, what just breaks it is refused, with a sentence
// that names the field. encode() does not judge, so it can write what breaks a rule.
namespace rota::wire::test {
namespace {

Error refusal(const Body& body, DecodeLimits limits = {}) {
  std::string frame;
  encode({7, body}, frame);
  Decoder decoder(limits);
  const auto message = decoder.decode(frame);
  EXPECT_EQ(decoder.last_request(), 7U);
  return message.ok() ? Error{Code::ok, ""} : message.error();
}
Code code_of(const Body& body, DecodeLimits limits = {}) { return refusal(body, limits).code; }

Submit one_job() {
  Submit submit;
  submit.shared.push_back({"default", "thumbnail", {}, {}});
  submit.items.emplace_back().id = sample_id(1);
  return submit;
}
Code with_item(const std::function<void(SubmitItem&)>& change) {
  Submit submit = one_job();
  change(submit.items[0]);
  return code_of(submit);
}
Code with_options(const std::function<void(JobOptions&)>& change) {
  Submit submit = one_job();
  change(submit.shared[0].options);
  return code_of(submit);
}
Code with_spec(const std::function<void(Spec&)>& change) {
  Submit submit = one_job();
  change(submit.shared[0].spec);
  return code_of(submit);
}
Hello worker() {
  Hello hello;
  hello.session.bytes[0] = 1;
  hello.connection = 1;
  hello.name = "w";
  hello.slots = 1;
  return hello;
}

TEST(Rules, PayloadIsBoundedByTheDecodersLimit) {
  const std::string payload(2097152, 'x');
  Submit submit = one_job();
  submit.items.resize(4, submit.items[0]);
  submit.items[3].payload = payload;
  const Error error = refusal(submit);
  EXPECT_EQ(error.code, Code::too_large);
  EXPECT_EQ(error.message, "SUBMIT: item 3: payload of 2097152 bytes is over the limit of 1048576");
  EXPECT_EQ(code_of(submit, {.max_payload = 2097152}), Code::ok);
  EXPECT_EQ(code_of(submit, {.max_payload = 2097151}), Code::too_large);
}

TEST(Rules, BatchesAreBounded) {
  Submit submit = one_job();
  submit.items.resize(limits::kMaxBatch, submit.items[0]);
  EXPECT_EQ(code_of(submit), Code::ok);
  submit.items.push_back(submit.items[0]);
  EXPECT_EQ(refusal(submit).message, "SUBMIT: items has 4097 entries, over the limit of 4096");
  EXPECT_EQ(code_of(submit), Code::too_large);
  for (const std::size_t count : {limits::kMaxBatch, limits::kMaxBatch + 1}) {
    const Code expected = count > limits::kMaxBatch ? Code::too_large : Code::ok;
    const std::vector<JobId> ids(count, sample_id(1));
    EXPECT_EQ(code_of(Wait{false, ids}), expected);
    EXPECT_EQ(code_of(Get{false, ids}), expected);
    EXPECT_EQ(code_of(Cancel{ids}), expected);
    EXPECT_EQ(code_of(Retry{std::vector<Retry::Item>(count, {sample_id(1), {}})}), expected);
    EXPECT_EQ(code_of(Completed{std::vector<Code>(count)}), expected);
    EXPECT_EQ(code_of(Submitted{std::vector<ItemResult>(count), {}}), expected);
    CompleteItem completion;
    completion.job.id = sample_id(1);
    EXPECT_EQ(code_of(Complete{0, 0, std::vector<CompleteItem>(count, completion)}), expected);
  }
  for (const std::size_t count : {std::size_t{limits::kMaxCredit}, std::size_t{limits::kMaxCredit} + 1}) {
    const Code expected = count > limits::kMaxCredit ? Code::too_large : Code::ok;
    const std::vector<TokenOf> tokens(count, TokenOf{sample_id(1), {1, 1}});
    EXPECT_EQ(code_of(Reclaim{tokens}), expected);
    EXPECT_EQ(code_of(Released{tokens, 0}), expected);
    EXPECT_EQ(code_of(CancelJobs{tokens}), expected);
  }
}

TEST(Rules, SharedPartsAreBoundedAndNamedByNumber) {
  Submit submit = one_job();
  submit.shared.resize(limits::kMaxShared, submit.shared[0]);
  EXPECT_EQ(code_of(submit), Code::ok);
  submit.items[0].shared = limits::kMaxShared;
  EXPECT_EQ(refusal(submit).message, "SUBMIT: item 0: shared of 256 names no shared part: there are 256");
  submit.items[0].shared = 0;
  submit.shared.push_back(submit.shared[0]);
  EXPECT_EQ(code_of(submit), Code::too_large);
  EXPECT_EQ(code_of(Dispatch{1, {}, {DispatchItem{0, 1, sample_id(1), 1, {}, {}, {}}}}), Code::bad_message);
}

TEST(Rules, NamesKeepTheirRule) {
  for (const std::string& bad : {std::string(), std::string("a b"), std::string("ä"), std::string(65, 'a')}) {
    Submit submit = one_job();
    submit.shared[0].type = bad;
    EXPECT_EQ(refusal(submit).message, "SUBMIT: shared part 0: type name must be 1 to 64 of A-Z a-z 0-9 . _ -");
    submit.shared[0].queue = bad;
    EXPECT_EQ(refusal(submit).message, "SUBMIT: shared part 0: queue name must be 1 to 64 of A-Z a-z 0-9 . _ -");
  }
  Submit submit = one_job();
  const std::string longest(64, 'a');
  submit.shared[0].type = longest;
  EXPECT_EQ(code_of(submit), Code::ok);
}

TEST(Rules, AnIdIsAUuidOfVersion7) {
  EXPECT_EQ(with_item([](SubmitItem& item) { item.id.bytes[6] = 0x46; }), Code::bad_message);
  EXPECT_EQ(with_item([](SubmitItem& item) { item.id = {}; }), Code::bad_message);
}

TEST(Rules, KeysAndLinesAreBounded) {
  const std::string text(limits::kMaxLine + 1, 'x');
  const std::string_view all = text;
  EXPECT_EQ(with_item([&](SubmitItem& item) { item.key = all.substr(0, limits::kMaxKey); }), Code::ok);
  EXPECT_EQ(with_item([&](SubmitItem& item) { item.key = all.substr(0, limits::kMaxKey + 1); }), Code::too_large);
  EXPECT_EQ(with_item([&](SubmitItem& item) { item.key = "a\nb"; }), Code::bad_message);
  const auto line = [&](std::string_view value) {
    return with_item([&](SubmitItem& item) { item.selector = {Selector::Kind::line, 0, value}; });
  };
  EXPECT_EQ(line(all.substr(0, limits::kMaxLine)), Code::ok);
  EXPECT_EQ(line(all), Code::too_large);
  EXPECT_EQ(line(std::string_view("a\0b", 3)), Code::bad_message);
}

TEST(Rules, DurationsAreNeitherNegativeNorEndless) {
  using Member = Millis JobOptions::*;
  for (const Member member : {&JobOptions::delay, &JobOptions::time_limit, &JobOptions::backoff, &JobOptions::backoff_max,
                              &JobOptions::expires, &JobOptions::key_for, &JobOptions::keep}) {
    EXPECT_EQ(with_options([&](JobOptions& options) { options.*member = limits::kMaxDuration; }), Code::ok);
    EXPECT_EQ(with_options([&](JobOptions& options) { options.*member = limits::kMaxDuration + Millis{1}; }),
              Code::too_large);
    EXPECT_EQ(with_options([&](JobOptions& options) { options.*member = Millis{-2}; }), Code::bad_message);
  }
  Submit submit = one_job();
  submit.shared[0].options.delay = Millis{-5};
  EXPECT_EQ(refusal(submit).message, "SUBMIT: shared part 0: delay is negative");
  EXPECT_EQ(with_options([](JobOptions& options) { options.run_at = Wall{-1}; }), Code::bad_message);
}

TEST(Rules, NumbersOfOptionsAreBounded) {
  EXPECT_EQ(with_options([](JobOptions& options) { options.retries = limits::kMaxRetries; }), Code::ok);
  EXPECT_EQ(with_options([](JobOptions& options) { options.retries = limits::kMaxRetries + 1; }), Code::too_large);
  EXPECT_EQ(with_options([](JobOptions& options) { options.losses = limits::kMaxLosses; }), Code::ok);
  EXPECT_EQ(with_options([](JobOptions& options) { options.losses = limits::kMaxLosses + 1; }), Code::too_large);
  EXPECT_EQ(with_options([](JobOptions& options) { options.backoff_factor_milli = 1000; }), Code::ok);
  EXPECT_EQ(with_options([](JobOptions& options) { options.backoff_factor_milli = 999; }), Code::bad_message);
  EXPECT_EQ(with_options([](JobOptions& options) { options.backoff_factor_milli = 100'001; }), Code::bad_message);
  EXPECT_EQ(with_options([](JobOptions& options) { options.durability = Durability::written; }), Code::bad_message);
}

// A SUBMIT of one job whose options are these bytes.
Error with_raw_options(std::string_view options) {
  std::string frame("\x95\x10\x07\x00\x91\x93\xa7", 7);
  frame += "default";
  frame += "\xa9thumbnail";
  frame += options;
  frame += "\x90";
  Decoder decoder;
  const auto message = decoder.decode(frame);
  return message.ok() ? Error{Code::ok, ""} : message.error();
}

TEST(Rules, ReservedOptionsAreRefusedAndHintsIgnored) {
  EXPECT_EQ(with_raw_options(std::string_view("\x81\x00\x80", 3)).message,
            "SUBMIT: shared part 0: priority must be an integer");
  EXPECT_EQ(with_raw_options(std::string_view("\x81\x00\xcc\x80", 4)).message,
            "SUBMIT: shared part 0: priority of 128 is not within -128 and 127");
  EXPECT_EQ(with_raw_options("\x81\x10\x90").message, "SUBMIT: shared part 0: option 16 is not supported");
  EXPECT_EQ(with_raw_options("\x81\x1f\x90").code, Code::bad_message);
  EXPECT_EQ(with_raw_options("\x81\x20\x90").code, Code::ok);
  EXPECT_EQ(with_raw_options("\x81\xa1\x61\x90").code, Code::bad_message);
}

TEST(Rules, ACommandNeedsAProgram) {
  Submit submit = one_job();
  submit.shared[0].spec.command.emplace();
  EXPECT_EQ(refusal(submit).message, "SUBMIT: shared part 0: command argv is empty; name the program to run");
  submit.shared[0].spec.command.reset();
  submit.shared[0].type = "exec";
  EXPECT_EQ(refusal(submit).message, "SUBMIT: shared part 0: command is missing: a job of type exec runs one");
}

TEST(Rules, ACommandIsBounded) {
  const std::string text(limits::kMaxCommandBytes + 1, 'x');
  const std::string_view all = text;
  const auto command = [](Command value) { return with_spec([&](Spec& spec) { spec.command = std::move(value); }); };
  EXPECT_EQ(command({{all.substr(1)}, {}, ""}), Code::ok);
  EXPECT_EQ(command({{all}, {}, ""}), Code::too_large);
  EXPECT_EQ(command({{all.substr(3)}, {{"A", "b"}}, ""}), Code::ok);
  EXPECT_EQ(command({{all.substr(3)}, {{"A", "b"}}, "/"}), Code::too_large);
  EXPECT_EQ(command({std::vector<std::string_view>(limits::kMaxArguments, "x"), {}, ""}), Code::ok);
  EXPECT_EQ(command({std::vector<std::string_view>(limits::kMaxArguments, "x"), {{"A", "b"}}, ""}), Code::too_large);
  EXPECT_EQ(command({std::vector<std::string_view>(limits::kMaxArguments + 1, "x"), {}, ""}), Code::too_large);
  EXPECT_EQ(command({{std::string_view("a\0b", 3)}, {}, ""}), Code::bad_message);
  EXPECT_EQ(command({{"a"}, {{"", "b"}}, ""}), Code::bad_message);
  EXPECT_EQ(command({{"a"}, {{"A=B", "b"}}, ""}), Code::bad_message);
}

TEST(Rules, HeadersAndNamesAreBounded) {
  const std::string text(limits::kMaxHeaderBytes + 1, 'x');
  const std::string_view all = text;
  EXPECT_EQ(with_spec([&](Spec& spec) { spec.name = all.substr(0, limits::kMaxJobName); }), Code::ok);
  EXPECT_EQ(with_spec([&](Spec& spec) { spec.name = all.substr(0, limits::kMaxJobName + 1); }), Code::too_large);
  EXPECT_EQ(with_spec([&](Spec& spec) { spec.name = "\x1b[31m"; }), Code::bad_message);
  EXPECT_EQ(with_spec([&](Spec& spec) { spec.headers = {{"a", all.substr(2)}}; }), Code::ok);
  EXPECT_EQ(with_spec([&](Spec& spec) { spec.headers = {{"a", all.substr(1)}}; }), Code::too_large);
  EXPECT_EQ(with_spec([&](Spec& spec) { spec.headers = {{"", "x"}}; }), Code::bad_message);
  EXPECT_EQ(with_spec([&](Spec& spec) { spec.headers = {{"a", "x"}, {"a", "y"}}; }), Code::bad_message);
  std::vector<std::string> names;
  for (std::size_t i = 0; i <= limits::kMaxHeaders; ++i) names.push_back(std::to_string(i));
  std::vector<Pair> headers;
  for (std::size_t i = 0; i < limits::kMaxHeaders; ++i) headers.emplace_back(names[i], "v");
  EXPECT_EQ(with_spec([&](Spec& spec) { spec.headers = headers; }), Code::ok);
  headers.emplace_back(names.back(), "v");
  EXPECT_EQ(with_spec([&](Spec& spec) { spec.headers = headers; }), Code::too_large);
}

TEST(Rules, ReportsAreBounded) {
  const std::string text(limits::kMaxStderrTail + 1, 'x');
  const std::string_view all = text;
  const auto report = [](const std::function<void(Report&)>& change) {
    Complete complete;
    complete.items.emplace_back().job.id = sample_id(1);
    change(complete.items[0].report);
    return code_of(complete);
  };
  EXPECT_EQ(report([&](Report& r) { r.stderr_tail = all.substr(1); }), Code::ok);
  EXPECT_EQ(report([&](Report& r) { r.stderr_tail = all; }), Code::too_large);
  EXPECT_EQ(report([&](Report& r) { r.error_message = all.substr(0, limits::kMaxErrorMessage); }), Code::ok);
  EXPECT_EQ(report([&](Report& r) { r.error_message = all.substr(0, limits::kMaxErrorMessage + 1); }), Code::too_large);
  EXPECT_EQ(report([&](Report& r) { r.error_code = all.substr(0, limits::kMaxErrorCode); }), Code::ok);
  EXPECT_EQ(report([&](Report& r) { r.error_code = all.substr(0, limits::kMaxErrorCode + 1); }), Code::too_large);
}

TEST(Rules, TextThatIsNotUtf8IsMendedOnTheWayOut) {
  Complete complete;
  complete.items.emplace_back().job.id = sample_id(1);
  complete.items[0].report.error_message = "open \xff\xfe/\xe2\x82: n\xc3\xb6\n";
  std::string frame;
  encode({7, complete}, frame);
  Decoder decoder;
  const auto message = decoder.decode(frame);
  ASSERT_TRUE(message.ok());
  EXPECT_EQ(std::get<Complete>(message->body).items[0].report.error_message,
            "open ?"
            "?/?"
            "?: n\xc3\xb6\n");
}

TEST(Rules, VersionsMustMeet) {
  Hello hello;
  hello.version_min = 2;
  hello.version_max = 3;
  hello.host = "\x01";  // nothing else is looked at
  Error error = refusal(hello);
  EXPECT_EQ(error.code, Code::version);
  EXPECT_EQ(error.message, "HELLO: no common protocol version: the peer speaks 2 to 3, this side 1");
  hello.version_min = 0;
  hello.version_max = 0;
  EXPECT_EQ(code_of(hello), Code::version);
  hello.version_min = 3;
  EXPECT_EQ(refusal(hello).message, "HELLO: min is over max");
  Welcome welcome;
  welcome.broker_id.bytes[0] = 1;
  EXPECT_EQ(code_of(welcome), Code::ok);
  welcome.version = 2;
  EXPECT_EQ(code_of(welcome), Code::version);
}

// Each would have room for the most that one may hold.
TEST(Rules, AListIsThereOnce) {
  Hello hello = worker();
  hello.types = {"t"};
  std::string frame;
  encode({7, hello}, frame);
  ASSERT_EQ(static_cast<unsigned char>(frame[3]), 0xDEU) << "a map of 16 bits";
  frame[5] = static_cast<char>(frame[5] + 1);
  frame += "\xa5types\x91\xa1u";
  Decoder decoder;
  const auto message = decoder.decode(frame);
  ASSERT_FALSE(message.ok());
  EXPECT_EQ(message.error().message, "HELLO: types is there twice");
}

TEST(Rules, AWorkerSaysWhoItIs) {
  EXPECT_EQ(code_of(worker()), Code::ok);
  Hello hello = worker();
  hello.name = "a b";
  EXPECT_EQ(code_of(hello), Code::bad_message);
  hello = worker();
  hello.connection = 0;
  EXPECT_EQ(refusal(hello).message, "HELLO: connection is missing: a worker counts its sockets from 1");
  hello = worker();
  hello.slots = 0;
  EXPECT_EQ(code_of(hello), Code::bad_message);
  hello.slots = limits::kMaxSlots + 1;
  EXPECT_EQ(code_of(hello), Code::too_large);
  hello = worker();
  hello.credit = limits::kMaxCredit + 1;
  EXPECT_EQ(code_of(hello), Code::too_large);
  hello = worker();
  hello.queues = {{"default", 0}};
  EXPECT_EQ(code_of(hello), Code::bad_message);
  hello.queues = {{"default", limits::kMaxQueueWeight + 1}};
  EXPECT_EQ(code_of(hello), Code::too_large);
  hello = worker();
  hello.types.assign(limits::kMaxTypesPerWorker + 1, "t");
  EXPECT_EQ(code_of(hello), Code::too_large);
  hello = worker();
  hello.started.assign(limits::kMaxTokensInHello, TokenOf{sample_id(1), {1, 1}});
  EXPECT_EQ(code_of(hello), Code::ok);
  hello.held.assign(1, TokenOf{sample_id(1), {1, 1}});
  EXPECT_EQ(code_of(hello), Code::too_large);
}

Error with_list(const std::function<void(List&)>& change) {
  List body;
  change(body);
  return refusal(body);
}

TEST(Rules, AListIsBounded) {
  EXPECT_EQ(with_list([](List&) {}).code, Code::ok);
  EXPECT_EQ(with_list([](List& list) { list.limit = limits::kMaxListJobs; }).code, Code::ok);
  EXPECT_EQ(with_list([](List& list) { list.limit = limits::kMaxListJobs + 1; }).message,
            "LIST: limit of 1001 is over the limit of 1000");
  EXPECT_EQ(with_list([](List& list) { list.limit = 0; }).message, "LIST: limit must be at least 1");
  EXPECT_EQ(with_list([](List& list) { list.queue = "a b"; }).message, "LIST: queue must be 1 to 64 of A-Z a-z 0-9 . _ -");
  EXPECT_EQ(with_list([](List& list) { list.type = "a b"; }).message, "LIST: type must be 1 to 64 of A-Z a-z 0-9 . _ -");
  EXPECT_EQ(with_list([](List& list) { list.since = Millis{-1}; }).message, "LIST: since_ms is negative");
  EXPECT_EQ(with_list([](List& list) { list.since = limits::kMaxDuration + Millis{1}; }).code, Code::too_large);
  const std::string cursor(limits::kMaxCursor + 1, 'c');
  EXPECT_EQ(with_list([&](List& list) { list.cursor = std::string_view(cursor).substr(1); }).code, Code::ok);
  EXPECT_EQ(with_list([&](List& list) { list.cursor = cursor; }).code, Code::too_large);
  JobInfo job;
  job.id = sample_id(1);
  EXPECT_EQ(code_of(Listed{std::vector<JobInfo>(limits::kMaxListJobs, job), {}}), Code::ok);
  EXPECT_EQ(code_of(Listed{std::vector<JobInfo>(limits::kMaxListJobs + 1, job), {}}), Code::too_large);
  EXPECT_EQ(code_of(Listed{{}, cursor}), Code::too_large);
}

TEST(Rules, AnEndingIsHexAndStandsAlone) {
  EXPECT_EQ(with_list([](List& list) { list.ending = "01234567"; }).code, Code::ok);
  EXPECT_EQ(with_list([](List& list) { list.ending = "0123456789abcdef0123456789abcdef"; }).code, Code::ok);
  for (const char* bad : {"0123456", "0123456g", "0123456A", "0123-4567"}) {
    EXPECT_EQ(with_list([&](List& list) { list.ending = bad; }).message, "LIST: ending must be 8 to 32 of 0-9 a-f") << bad;
  }
  EXPECT_EQ(with_list([](List& list) { list.ending = "0123456789abcdef0123456789abcdef0"; }).code, Code::too_large);
  const auto beside = [](const std::function<void(List&)>& change) {
    return with_list([&](List& list) {
             list.ending = "01234567";
             change(list);
           })
        .message;
  };
  const std::string refused = "LIST: ending goes with neither filters nor a cursor";
  EXPECT_EQ(beside([](List& list) { list.queue = "q"; }), refused);
  EXPECT_EQ(beside([](List& list) { list.type = "t"; }), refused);
  EXPECT_EQ(beside([](List& list) { list.states = 4; }), refused);
  EXPECT_EQ(beside([](List& list) { list.since = Millis{1}; }), refused);
  EXPECT_EQ(beside([](List& list) { list.cursor = "c"; }), refused);
  EXPECT_EQ(beside([](List& list) { list.limit = 2; }), "");
}

// A LIST whose filters are these bytes.
Result<std::uint32_t> states_of(std::string_view filters) {
  std::string frame("\x93\x19\x07", 3);
  frame += filters;
  Decoder decoder;
  const auto message = decoder.decode(frame);
  if (!message.ok()) return message.error();
  return std::get<List>(message->body).states;
}

TEST(Rules, StatesOfAListAreNumbersOfStates) {
  EXPECT_EQ(*states_of("\x80"), 0U);
  EXPECT_EQ(*states_of("\x81\xa6states\x90"), 0U);
  EXPECT_EQ(*states_of("\x81\xa6states\x93\x02\x05\x02"), 1U << 2U | 1U << 5U);
  EXPECT_EQ(states_of("\x81\xa6states\x91\x08").error().message, "LIST: states of 8 is not a job state");
  EXPECT_EQ(states_of("\x81\xa6states\x99\x02\x02\x02\x02\x02\x02\x02\x02\x02").error().code, Code::too_large);
  EXPECT_EQ(*states_of("\x81\xa6"
                       "colour\xa3red"),
            0U)
      << "a key of a later version is skipped";
  EXPECT_EQ(states_of("\x90").error().message, "LIST: filters must be a map");
}

TEST(Rules, ProgressIsAFraction) {
  const auto fraction = [](double value) { return code_of(Renew{0, 0, {{{sample_id(1), {1, 1}}, value, ""}}}); };
  EXPECT_EQ(fraction(0), Code::ok);
  EXPECT_EQ(fraction(1), Code::ok);
  EXPECT_EQ(fraction(1.01), Code::bad_message);
  EXPECT_EQ(fraction(-0.01), Code::bad_message);
  EXPECT_EQ(fraction(std::numeric_limits<double>::quiet_NaN()), Code::bad_message);
}

}  // namespace
}  // namespace rota::wire::test

#include "broker/store/record_format.h"

#include <cstdlib>
#include <fstream>
#include <sstream>

#include "broker/store/fields.h"
#include "broker/store/lmdb_meta.h"
#include "broker/store/lmdb_store.h"
#include "tests/conformance/store_driver.h"

namespace rota::store {
namespace {

std::string to_hex(std::string_view bytes) {
  std::string hex;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    static constexpr std::string_view kDigits = "0123456789abcdef";
    hex.push_back(kDigits[static_cast<std::uint8_t>(bytes[i]) >> 4U]);
    hex.push_back(kDigits[static_cast<std::uint8_t>(bytes[i]) & 15U]);
    if (i % 32 == 31) hex.push_back('\n');
  }
  if (hex.empty() || hex.back() != '\n') hex.push_back('\n');
  return hex;
}

// The bytes of tests/unit/store/golden/NAME.hex. A change of them is a change of the format. ROTA_WRITE_GOLDEN=1 writes
// files that are missing, never others.
void expect_golden(const std::string& name, std::string_view bytes) {
  const std::string path = std::string(ROTA_SOURCE_DIR) + "/tests/unit/store/golden/" + name + ".hex";
  std::ifstream file(path);
  if (!file && std::getenv("ROTA_WRITE_GOLDEN") != nullptr) {
    std::ofstream(path) << to_hex(bytes);
    return;
  }
  std::stringstream golden;
  golden << file.rdbuf();
  EXPECT_EQ(golden.str(), to_hex(bytes)) << "the format of " << name << " changed: see the recipe in record_format.h";
}

std::string sealed(Table table, std::string_view key, std::string_view payload, std::size_t apart = 0) {
  std::string record(kChecksumSize, '\0');
  write_checksum(record.data(), record_checksum(table, key, payload.substr(0, payload.size() - apart)));
  return record.append(payload);
}

JobId example_id() { return *parse_uuid("0193b2f0-6cf8-7656-8a2b-0123456789ab"); }
Uuid example_session() { return *parse_uuid("1b4e28ba-2fa1-4d2f-883f-0016d3cca427"); }

queue::SharedRecord example_shared() {
  queue::SharedRecord shared{"default", "exec", {}, "the spec"};
  shared.policy.retries = 3;
  shared.policy.stop_on_disconnect = true;
  shared.policy.time_limit = Millis{90'000};
  return shared;
}

queue::JobRecord example_job(const queue::SharedRecord& shared, std::string_view body) {
  queue::JobRecord job;
  job.id = example_id();
  job.content_hash = 0x0123456789abcdef;
  job.created_at = Wall{1'795'000'000'000};
  job.run_at = job.created_at + Millis{1500};
  job.expires_at = job.created_at + Millis{60'000};
  job.priority = -5;
  job.key = "nightly";
  job.shared = &shared;
  job.body = body;
  return job;
}

queue::OutcomeRecord example_outcome() {
  queue::OutcomeRecord outcome;
  outcome.sequence = 17;
  outcome.id = example_id();
  outcome.state = JobState::failed;
  outcome.attempts = 4;
  outcome.failures = 3;
  outcome.losses = 1;
  outcome.consumed = {2, 900};
  outcome.started_at = Wall{1'795'000'002'000};
  outcome.finished_at = Wall{1'795'000'002'250};
  outcome.forget_at = outcome.finished_at + limits::kDefaultKeepFailed;
  outcome.report = "the report";
  return outcome;
}

// A record's payload as it lies in `bodies`.
std::string job_payload(std::string_view body, std::uint64_t shared_number) {
  const queue::SharedRecord shared = example_shared();
  std::string fields;
  std::uint8_t flags = append_job(fields, example_job(shared, body), true);
  std::string payload;
  FieldWriter write(payload);
  if (shared_number != 0) {
    write.byte(flags);
    write.varint(shared_number);
  } else {
    std::string part;
    append_shared(part, shared);
    write.byte(flags | kSharedInline);
    write.sized(part);
  }
  write.raw(fields);
  return payload;
}

void expect_example_job(const queue::JobRecord& job, std::string_view body) {
  const queue::SharedRecord shared = example_shared();
  const queue::JobRecord wanted = example_job(shared, body);
  EXPECT_EQ(job.id, wanted.id);
  EXPECT_EQ(job.content_hash, wanted.content_hash);
  EXPECT_EQ(job.created_at, wanted.created_at);
  EXPECT_EQ(job.run_at, wanted.run_at);
  EXPECT_EQ(job.expires_at, wanted.expires_at);
  EXPECT_EQ(job.priority, wanted.priority);
  EXPECT_EQ(job.key, wanted.key);
  EXPECT_EQ(job.body, wanted.body);
}

void expect_example_outcome(const queue::OutcomeRecord& outcome) {
  const queue::OutcomeRecord wanted = example_outcome();
  EXPECT_EQ(outcome.sequence, wanted.sequence);
  EXPECT_EQ(outcome.id, wanted.id);
  EXPECT_EQ(outcome.state, wanted.state);
  EXPECT_EQ(outcome.attempts, wanted.attempts);
  EXPECT_EQ(outcome.failures, wanted.failures);
  EXPECT_EQ(outcome.losses, wanted.losses);
  EXPECT_EQ(outcome.consumed, wanted.consumed);
  EXPECT_EQ(outcome.started_at, wanted.started_at);
  EXPECT_EQ(outcome.finished_at, wanted.finished_at);
  EXPECT_EQ(outcome.forget_at, wanted.forget_at);
  EXPECT_EQ(outcome.report, wanted.report);
}

TEST(RecordFormat, SharedPart) {
  std::string payload;
  append_shared(payload, example_shared());
  expect_golden("shared", sealed(Table::shared, view(number_key(7)), payload));
  queue::SharedRecord read;
  ASSERT_TRUE(decode_shared(payload, read));
  EXPECT_EQ(read.queue, "default");
  EXPECT_EQ(read.type, "exec");
  EXPECT_EQ(read.policy, example_shared().policy);
  EXPECT_EQ(read.spec, "the spec");
}

TEST(RecordFormat, JobWithInlineSharedPart) {
  const std::string record = sealed(Table::bodies, view(number_key(17)), job_payload("the body", 0));
  expect_golden("body_inline", record);
  StoredJob stored;
  ASSERT_TRUE(lmdb::open_job(view(number_key(17)), record, true, stored));
  expect_example_job(stored.job, "the body");
  queue::SharedRecord shared;
  ASSERT_TRUE(decode_shared(stored.shared, shared));
  EXPECT_EQ(shared.policy, example_shared().policy);
}

TEST(RecordFormat, JobThatNamesItsSharedPart) {
  const std::string record = sealed(Table::bodies, view(number_key(17)), job_payload("the body", 7));
  expect_golden("body_shared", record);
  StoredJob stored;
  ASSERT_TRUE(lmdb::open_job(view(number_key(17)), record, true, stored));
  EXPECT_EQ(stored.shared_number, 7U);
  expect_example_job(stored.job, "the body");
}

TEST(RecordFormat, JobWithALargeBodyHasTwoChecksums) {
  const std::string body(kBodyApart + 1, 'b');
  std::string record = sealed(Table::bodies, view(number_key(17)), job_payload(body, 7), body.size());
  expect_golden("body_large", record);
  StoredJob stored;
  ASSERT_TRUE(lmdb::open_job(view(number_key(17)), record, true, stored));
  expect_example_job(stored.job, body);
  record.back() = 'c';
  EXPECT_TRUE(lmdb::open_job(view(number_key(17)), record, false, stored));
  EXPECT_FALSE(lmdb::open_job(view(number_key(17)), record, true, stored));
}

TEST(RecordFormat, State) {
  queue::StateRecord state;
  state.attempts = 2;
  state.failures = 1;
  state.losses = 1;
  state.cancel_requested = true;
  state.run_at = Wall{1'795'000'010'000};
  state.consumed = {2, 300};
  state.report = "the report";
  std::string payload;
  append_state(payload, state);
  expect_golden("state", sealed(Table::state, view(number_key(17)), payload));
  queue::StateRecord read;
  ASSERT_TRUE(decode_state(payload, read));
  EXPECT_EQ(read.attempts, 2U);
  EXPECT_EQ(read.failures, 1U);
  EXPECT_EQ(read.losses, 1U);
  EXPECT_TRUE(read.cancel_requested);
  EXPECT_EQ(read.run_at, state.run_at);
  EXPECT_EQ(read.consumed, state.consumed);
  EXPECT_EQ(read.report, "the report");
  EXPECT_FALSE(read.expiry_over);
  state.expiry_over = true;
  payload.clear();
  append_state(payload, state);
  ASSERT_TRUE(decode_state(payload, read));
  EXPECT_TRUE(read.expiry_over && read.cancel_requested);
}

TEST(RecordFormat, Lease) {
  const queue::LeaseRecord lease{{2, 900}, 17, example_session(), 8, Wall{1'795'000'002'000}};
  std::string payload;
  append_lease(payload, lease);
  expect_golden("lease", sealed(Table::leases, view(number_key(900)), payload));
  queue::LeaseRecord read;
  ASSERT_TRUE(decode_lease(payload, read));
  EXPECT_EQ(read.token.epoch, 2U);
  EXPECT_EQ(read.sequence, 17U);
  EXPECT_EQ(read.session, example_session());
  EXPECT_EQ(read.slots, 8U);
  EXPECT_EQ(read.leased_at, lease.leased_at);
}

TEST(RecordFormat, OutcomeAndTombstone) {
  std::string payload;
  append_outcome(payload, example_outcome(), 900);
  expect_golden("outcome", sealed(Table::outcomes, view(number_key(5)), payload));
  StoredEnd end;
  ASSERT_TRUE(decode_end(payload, end));
  EXPECT_EQ(end.kind, EndKind::outcome);
  EXPECT_EQ(end.lease, 900U);
  expect_example_outcome(end.outcome);

  payload.clear();
  append_tombstone(payload, 17, 900);
  expect_golden("tombstone", sealed(Table::outcomes, view(number_key(6)), payload));
  ASSERT_TRUE(decode_end(payload, end));
  EXPECT_EQ(end.kind, EndKind::tombstone);
  EXPECT_EQ(end.outcome.sequence, 17U);
  EXPECT_EQ(end.lease, 900U);
}

TEST(RecordFormat, FinishedJob) {
  std::string outcome;
  append_outcome(outcome, example_outcome(), 900);
  std::string payload;
  append_finished(payload, outcome, job_payload("the body", 0));
  const std::string record = sealed(Table::finished, view(example_id()), payload);
  expect_golden("finished", record);
  StoredFinished read;
  ASSERT_TRUE(lmdb::open_finished(view(example_id()), record, true, read));
  expect_example_job(read.stored.job, "the body");
  expect_example_outcome(read.end.outcome);
}

TEST(RecordFormat, Numbers) {
  std::string payload;
  lmdb::append_numbers(payload, {3, 1000, 2000, 900, 12, Wall{1'795'000'000'000}});
  expect_golden("numbers", sealed(Table::meta, "numbers", payload));
  lmdb::Numbers read;
  ASSERT_TRUE(lmdb::decode_numbers(payload, read));
  EXPECT_EQ(read.epoch, 3U);
  EXPECT_EQ(read.next_shared, 12U);
  EXPECT_EQ(read.id_clock, Wall{1'795'000'000'000});
}

TEST(RecordFormat, ForgetKeySortsByTimeThenId) {
  const ForgetKey key = forget_key(Wall{1'795'000'000'000}, example_id());
  expect_golden("forget_key", {key.data(), key.size()});
  const auto entry = decode_forget_key({key.data(), key.size()});
  ASSERT_TRUE(entry);
  EXPECT_EQ(entry->forget_at, Wall{1'795'000'000'000});
  EXPECT_EQ(entry->id, example_id());
  EXPECT_LT(number_key(255), number_key(256));
}

TEST(RecordFormat, RecordUnderAnotherKeyOrTableIsRefused) {
  const std::string record = sealed(Table::state, view(number_key(17)), "payload");
  EXPECT_TRUE(lmdb::open_record(Table::state, view(number_key(17)), record));
  EXPECT_FALSE(lmdb::open_record(Table::state, view(number_key(18)), record));
  EXPECT_FALSE(lmdb::open_record(Table::leases, view(number_key(17)), record));
}

TEST(RecordFormat, EveryFlippedBitAndEveryTruncationIsNoticed) {
  std::string outcome;
  append_outcome(outcome, example_outcome(), 900);
  std::string payload;
  append_finished(payload, outcome, job_payload("the body", 0));
  const std::string finished = sealed(Table::finished, view(example_id()), payload);
  const std::string large(kBodyApart + 1, 'b');
  const std::string body = sealed(Table::bodies, view(number_key(17)), job_payload(large, 7), large.size());
  const auto reads = [](const std::string& finished_record, const std::string& body_record) {
    StoredFinished read;
    StoredJob stored;
    return lmdb::open_finished(view(example_id()), finished_record, true, read) ||
           lmdb::open_job(view(number_key(17)), body_record, true, stored);
  };
  EXPECT_TRUE(reads(finished, {}));
  EXPECT_TRUE(reads({}, body));
  for (const std::string* record : {&finished, &body}) {
    for (std::size_t i = 0; i < record->size(); ++i) {
      for (unsigned bit = 0; bit < 8; ++bit) {
        std::string damaged = *record;
        damaged[i] = static_cast<char>(damaged[i] ^ (1 << bit));
        ASSERT_FALSE(reads(record == &finished ? damaged : "", record == &body ? damaged : ""))
            << "byte " << i << " bit " << bit;
      }
      const std::string cut = record->substr(0, i);
      ASSERT_FALSE(reads(record == &finished ? cut : "", record == &body ? cut : "")) << "cut at " << i;
    }
  }
}

TEST(RecordFormat, UnknownFlagOfAJobIsRefused) {
  std::string payload = job_payload("the body", 7);
  payload[0] = static_cast<char>(payload[0] | 4);
  StoredJob stored;
  EXPECT_FALSE(decode_job(payload, stored));
}

TEST(Fields, NumbersKeepTheirValue) {
  for (const std::uint64_t value : {std::uint64_t{0}, std::uint64_t{127}, std::uint64_t{128}, UINT64_MAX}) {
    std::string bytes;
    FieldWriter(bytes).varint(value);
    FieldReader read(bytes);
    EXPECT_EQ(read.varint(), value);
    EXPECT_TRUE(read.ok() && read.rest().empty());
  }
  for (const std::int64_t value : {std::int64_t{0}, std::int64_t{-1}, INT64_MIN, INT64_MAX}) {
    std::string bytes;
    FieldWriter(bytes).zigzag(value);
    FieldReader read(bytes);
    EXPECT_EQ(read.zigzag(), value);
  }
}

TEST(Fields, MalformedNumbersAreRefused) {
  FieldReader endless(std::string_view("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", 11));
  endless.varint();
  EXPECT_FALSE(endless.ok());
  FieldReader cut(std::string_view("\x80", 1));
  cut.varint();
  EXPECT_FALSE(cut.ok());
  FieldReader wide(std::string_view("\xff\xff\xff\xff\x7f", 5));
  wide.number<std::uint32_t>();
  EXPECT_FALSE(wide.ok());
  FieldReader length(std::string_view("\x05xyz", 4));
  EXPECT_EQ(length.sized(), "");
  EXPECT_FALSE(length.ok());
}

TEST(RecordFormat, TimeOfDayThatTheUserNamedStaysOne) {
  for (const bool named : {false, true}) {
    queue::JobRecord job = example_job(example_shared(), "body");
    job.run_at_named = named;
    std::string fields;
    const std::uint8_t flags = append_job(fields, job, true);
    StoredJob stored;
    ASSERT_TRUE(decode_job_fields(fields, flags, stored));
    EXPECT_EQ(stored.job.run_at_named, named);
  }
}

}  // namespace
}  // namespace rota::store

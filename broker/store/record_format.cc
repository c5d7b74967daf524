#include "broker/store/record_format.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "broker/store/fields.h"

namespace rota::store {
namespace {

constexpr std::uint8_t kStopOnDisconnect = 1;
constexpr std::uint8_t kDurabilityShift = 1;
constexpr std::uint8_t kCancelRequested = 1;
constexpr std::uint8_t kExpiryOver = 2;

// Times wrap instead of overflowing: a damaged or absurd time must not be undefined behaviour.
std::int64_t difference(Wall a, Wall b) {
  return static_cast<std::int64_t>(static_cast<std::uint64_t>(a.ms) - static_cast<std::uint64_t>(b.ms));
}
Wall sum(Wall at, std::int64_t by) {
  return {static_cast<std::int64_t>(static_cast<std::uint64_t>(at.ms) + static_cast<std::uint64_t>(by))};
}

}  // namespace

std::string_view table_name(Table table) {
  switch (table) {
    case Table::meta:
      return "meta";
    case Table::shared:
      return "shared";
    case Table::uses:
      return "uses";
    case Table::bodies:
      return "bodies";
    case Table::state:
      return "state";
    case Table::leases:
      return "leases";
    case Table::outcomes:
      return "outcomes";
    case Table::finished:
      return "finished";
    case Table::forget:
      return "forget";
  }
  return "unknown";
}

NumberKey number_key(std::uint64_t number) {
  NumberKey key;
  for (unsigned i = 0; i < key.size(); ++i) key[i] = static_cast<char>(number >> (56U - 8U * i));
  return key;
}

std::optional<std::uint64_t> key_number(std::string_view key) {
  if (key.size() != sizeof(std::uint64_t)) return std::nullopt;
  std::uint64_t number = 0;
  for (const char c : key) number = number << 8U | static_cast<std::uint8_t>(c);
  return number;
}

std::string_view view(const Uuid& id) { return {reinterpret_cast<const char*>(id.bytes.data()), id.bytes.size()}; }

ForgetKey forget_key(Wall forget_at, const JobId& id) {
  ForgetKey key;
  const NumberKey at = number_key(forget_at.ms < 0 ? 0 : static_cast<std::uint64_t>(forget_at.ms));
  std::memcpy(key.data(), at.data(), at.size());
  std::memcpy(key.data() + at.size(), id.bytes.data(), id.bytes.size());
  return key;
}

std::optional<ForgetEntry> decode_forget_key(std::string_view key) {
  if (key.size() != sizeof(ForgetKey)) return std::nullopt;
  ForgetEntry entry;
  const auto at = key_number(key.substr(0, 8));
  entry.forget_at.ms = static_cast<std::int64_t>(*at);
  std::memcpy(entry.id.bytes.data(), key.data() + 8, entry.id.bytes.size());
  return entry;
}

std::uint64_t record_checksum(Table table, std::string_view key, std::string_view payload) {
  const std::uint64_t seed = XXH3_64bits_withSeed(key.data(), key.size(), static_cast<std::uint64_t>(table));
  return XXH3_64bits_withSeed(payload.data(), payload.size(), seed);
}

std::uint64_t body_checksum(const JobId& id, std::string_view body) {
  const std::uint64_t seed = XXH3_64bits(id.bytes.data(), id.bytes.size());
  return XXH3_64bits_withSeed(body.data(), body.size(), seed);
}

void write_checksum(char* at, std::uint64_t checksum) {
  for (unsigned i = 0; i < kChecksumSize; ++i) at[i] = static_cast<char>(checksum >> (8U * i));
}

std::uint64_t read_checksum(std::string_view record) {
  FieldReader reader(record);
  return reader.u64();
}

void append_shared(std::string& out, const queue::SharedRecord& shared) {
  FieldWriter write(out);
  const queue::Policy& policy = shared.policy;
  write.sized(shared.queue);
  write.sized(shared.type);
  write.varint(policy.retries);
  write.byte(policy.losses);
  write.byte(static_cast<std::uint8_t>((policy.stop_on_disconnect ? kStopOnDisconnect : 0U) |
                                       static_cast<unsigned>(policy.durability) << kDurabilityShift));
  write.zigzag(policy.backoff.count());
  write.varint(policy.backoff_factor_milli);
  write.zigzag(policy.backoff_max.count());
  write.zigzag(policy.time_limit.count());
  write.zigzag(policy.keep.count());
  write.zigzag(policy.key_for.count());
  write.raw(shared.spec);
}

bool decode_shared(std::string_view payload, queue::SharedRecord& shared) {
  FieldReader read(payload);
  queue::Policy& policy = shared.policy;
  shared.queue = read.sized();
  shared.type = read.sized();
  policy.retries = read.number<std::uint32_t>();
  policy.losses = read.byte();
  const std::uint8_t flags = read.byte();
  policy.stop_on_disconnect = (flags & kStopOnDisconnect) != 0;
  const unsigned durability = static_cast<unsigned>(flags) >> kDurabilityShift;
  if (durability > static_cast<unsigned>(Durability::memory)) return false;
  policy.durability = static_cast<Durability>(durability);
  policy.backoff = Millis{read.zigzag()};
  policy.backoff_factor_milli = read.number<std::uint32_t>();
  policy.backoff_max = Millis{read.zigzag()};
  policy.time_limit = Millis{read.zigzag()};
  policy.keep = Millis{read.zigzag()};
  policy.key_for = Millis{read.zigzag()};
  shared.spec = read.rest();
  return read.ok();
}

std::uint8_t append_job(std::string& out, const queue::JobRecord& job, bool checksum_body) {
  FieldWriter write(out);
  write.uuid(job.id);
  write.u64(job.content_hash);
  write.wall(job.created_at);
  write.zigzag(difference(job.run_at, job.created_at));
  write.wall(job.expires_at);
  write.byte(static_cast<std::uint8_t>(job.priority));
  write.sized(job.key);
  std::uint8_t flags = job.run_at_named ? kRunAtNamed : 0;
  if (checksum_body && job.body.size() > kBodyApart) {
    flags |= kBodyHasChecksum;
    write.u64(body_checksum(job.id, job.body));
  }
  write.raw(job.body);
  return flags;
}

bool decode_job_fields(std::string_view fields, std::uint8_t flags, StoredJob& stored) {
  FieldReader read(fields);
  queue::JobRecord& job = stored.job;
  job.id = read.uuid();
  job.content_hash = read.u64();
  job.created_at = read.wall();
  job.run_at = sum(job.created_at, read.zigzag());
  job.expires_at = read.wall();
  job.priority = static_cast<std::int8_t>(read.byte());
  job.key = read.sized();
  job.run_at_named = (flags & kRunAtNamed) != 0;
  stored.has_body_checksum = (flags & kBodyHasChecksum) != 0;
  stored.body_checksum = stored.has_body_checksum ? read.u64() : 0;
  job.body = read.rest();
  return read.ok();
}

namespace {

bool read_shared(FieldReader& read, std::uint8_t flags, StoredJob& stored) {
  if ((flags & ~static_cast<unsigned>(kKnownJobFlags)) != 0) return false;
  stored.shared = {};
  stored.shared_number = 0;
  if ((flags & kSharedInline) != 0) {
    stored.shared = read.sized();
  } else {
    stored.shared_number = read.varint();
    if (stored.shared_number == 0) return false;
  }
  return read.ok();
}

}  // namespace

bool decode_job(std::string_view payload, StoredJob& stored) {
  FieldReader read(payload);
  const std::uint8_t flags = read.byte();
  return read_shared(read, flags, stored) && decode_job_fields(read.rest(), flags, stored);
}

std::size_t checked_size(std::string_view payload, const StoredJob& stored) {
  return payload.size() - (stored.has_body_checksum ? stored.job.body.size() : 0);
}

void append_state(std::string& out, const queue::StateRecord& state) {
  FieldWriter write(out);
  write.varint(state.attempts);
  write.varint(state.failures);
  write.byte(state.losses);
  write.byte(
      static_cast<std::uint8_t>((state.cancel_requested ? kCancelRequested : 0) | (state.expiry_over ? kExpiryOver : 0)));
  write.wall(state.run_at);
  write.token(state.consumed);
  write.raw(state.report);
}

bool decode_state(std::string_view payload, queue::StateRecord& state) {
  FieldReader read(payload);
  state.attempts = read.number<std::uint32_t>();
  state.failures = read.number<std::uint32_t>();
  state.losses = read.byte();
  const std::uint8_t flags = read.byte();
  state.cancel_requested = (flags & kCancelRequested) != 0;
  state.expiry_over = (flags & kExpiryOver) != 0;
  state.run_at = read.wall();
  state.consumed = read.token();
  state.report = read.rest();
  return read.ok();
}

void append_lease(std::string& out, const queue::LeaseRecord& lease) {
  FieldWriter write(out);
  write.varint(lease.token.epoch);
  write.varint(lease.sequence);
  write.uuid(lease.session);
  write.varint(lease.slots);
  write.wall(lease.leased_at);
}

bool decode_lease(std::string_view payload, queue::LeaseRecord& lease) {
  FieldReader read(payload);
  lease.token.epoch = read.varint();
  lease.sequence = read.varint();
  lease.session = read.uuid();
  lease.slots = read.number<std::uint32_t>();
  lease.leased_at = read.wall();
  return read.ok();
}

void append_outcome(std::string& out, const queue::OutcomeRecord& outcome, std::uint64_t lease) {
  FieldWriter write(out);
  write.byte(static_cast<std::uint8_t>(EndKind::outcome));
  write.varint(outcome.sequence);
  write.varint(lease);
  write.uuid(outcome.id);
  write.byte(static_cast<std::uint8_t>(outcome.state));
  write.varint(outcome.attempts);
  write.varint(outcome.failures);
  write.byte(outcome.losses);
  write.token(outcome.consumed);
  write.wall(outcome.finished_at);
  // Most jobs ran and ended close together; "never ran" is kept as the difference to 0.
  write.zigzag(difference(outcome.started_at, outcome.finished_at));
  write.zigzag(difference(outcome.forget_at, outcome.finished_at));
  write.raw(outcome.report);
}

void append_tombstone(std::string& out, queue::Sequence sequence, std::uint64_t lease) {
  FieldWriter write(out);
  write.byte(static_cast<std::uint8_t>(EndKind::tombstone));
  write.varint(sequence);
  write.varint(lease);
}

bool decode_end(std::string_view payload, StoredEnd& end) {
  FieldReader read(payload);
  const std::uint8_t kind = read.byte();
  if (kind > static_cast<std::uint8_t>(EndKind::tombstone)) return false;
  end.kind = static_cast<EndKind>(kind);
  queue::OutcomeRecord& outcome = end.outcome;
  outcome.sequence = read.varint();
  end.lease = read.varint();
  if (end.kind == EndKind::tombstone) return read.ok();
  outcome.id = read.uuid();
  const auto state = job_state_from_number(read.byte());
  if (!state || !is_final(*state)) return false;
  outcome.state = *state;
  outcome.attempts = read.number<std::uint32_t>();
  outcome.failures = read.number<std::uint32_t>();
  outcome.losses = read.byte();
  outcome.consumed = read.token();
  outcome.finished_at = read.wall();
  outcome.started_at = sum(outcome.finished_at, read.zigzag());
  outcome.forget_at = sum(outcome.finished_at, read.zigzag());
  outcome.report = read.rest();
  return read.ok();
}

std::optional<JobState> peek_end_state(std::string_view outcome_payload) {
  FieldReader read(outcome_payload);
  if (read.byte() != static_cast<std::uint8_t>(EndKind::outcome)) return std::nullopt;
  (void)read.varint();  // sequence
  (void)read.varint();  // lease
  (void)read.uuid();
  const std::uint8_t state = read.byte();
  if (!read.ok()) return std::nullopt;
  return job_state_from_number(state);
}

std::optional<JobId> peek_finished_id(std::string_view payload) {
  FieldReader read(payload);
  FieldReader outcome(read.sized());
  if (outcome.byte() != static_cast<std::uint8_t>(EndKind::outcome)) return std::nullopt;
  (void)outcome.varint();  // sequence
  (void)outcome.varint();  // lease
  const JobId id = outcome.uuid();
  if (!outcome.ok()) return std::nullopt;
  return id;
}

void append_finished(std::string& out, std::string_view outcome_payload, std::string_view job_payload) {
  FieldWriter write(out);
  write.sized(outcome_payload);
  write.raw(job_payload);
}

bool decode_finished(std::string_view payload, StoredFinished& finished) {
  FieldReader read(payload);
  finished.outcome_payload = read.sized();
  finished.job_payload = read.rest();
  return read.ok() && decode_end(finished.outcome_payload, finished.end) && finished.end.kind == EndKind::outcome &&
         decode_job(finished.job_payload, finished.stored);
}

}  // namespace rota::store

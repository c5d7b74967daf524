#include <cstddef>
#include <cstdint>
#include <iterator>
#include <string>
#include <string_view>

#include "broker/store/fields.h"
#include "broker/store/lmdb_meta.h"
#include "broker/store/record_format.h"
#include "common/base/check.h"

namespace {

using namespace rota;         // NOLINT(google-build-using-namespace)
using namespace rota::store;  // NOLINT(google-build-using-namespace)

// What is decoded is written again, and read back as the same: a record that cannot be kept cannot be trusted either.
void shared(std::string_view bytes) {
  queue::SharedRecord record;
  if (!decode_shared(bytes, record)) return;
  std::string stored;
  append_shared(stored, record);
  queue::SharedRecord again;
  ROTA_CHECK(decode_shared(stored, again));
  ROTA_CHECK(again.queue == record.queue && again.type == record.type && again.spec == record.spec);
  ROTA_CHECK(again.policy.retries == record.policy.retries && again.policy.durability == record.policy.durability);
}

void job(std::string_view bytes) {
  StoredJob stored;
  if (!decode_job(bytes, stored)) return;
  ROTA_CHECK(checked_size(bytes, stored) <= bytes.size());
  std::string fields;
  const std::uint8_t flags = append_job(fields, stored.job, true);
  StoredJob again;
  ROTA_CHECK(decode_job_fields(fields, flags, again));
  ROTA_CHECK(again.job.id == stored.job.id && again.job.key == stored.job.key && again.job.body == stored.job.body);
  ROTA_CHECK(again.job.created_at == stored.job.created_at && again.job.run_at == stored.job.run_at);
}

void state(std::string_view bytes) {
  queue::StateRecord record;
  if (!decode_state(bytes, record)) return;
  std::string stored;
  append_state(stored, record);
  queue::StateRecord again;
  ROTA_CHECK(decode_state(stored, again));
  ROTA_CHECK(again.attempts == record.attempts && again.run_at == record.run_at && again.report == record.report);
}

void lease(std::string_view bytes) {
  queue::LeaseRecord record;
  if (!decode_lease(bytes, record)) return;
  std::string stored;
  append_lease(stored, record);
  queue::LeaseRecord again;
  ROTA_CHECK(decode_lease(stored, again));
  ROTA_CHECK(again.sequence == record.sequence && again.session == record.session && again.slots == record.slots);
}

void end(std::string_view bytes) {
  (void)peek_end_state(bytes);
  StoredEnd record;
  if (!decode_end(bytes, record)) return;
  std::string stored;
  if (record.kind == EndKind::outcome) {
    append_outcome(stored, record.outcome, record.lease);
    ROTA_CHECK(peek_end_state(stored) == record.outcome.state);
  } else {
    append_tombstone(stored, record.outcome.sequence, record.lease);
  }
  StoredEnd again;
  ROTA_CHECK(decode_end(stored, again));
  ROTA_CHECK(again.kind == record.kind && again.lease == record.lease && again.outcome.sequence == record.outcome.sequence);
  ROTA_CHECK(again.outcome.id == record.outcome.id && again.outcome.report == record.outcome.report);
}

void finished(std::string_view bytes) {
  const auto id = peek_finished_id(bytes);
  StoredFinished record;
  if (!decode_finished(bytes, record)) return;
  ROTA_CHECK(id == record.end.outcome.id);
  std::string stored;
  append_finished(stored, record.outcome_payload, record.job_payload);
  StoredFinished again;
  ROTA_CHECK(decode_finished(stored, again));
  ROTA_CHECK(again.stored.job.id == record.stored.job.id && again.end.outcome.id == record.end.outcome.id);
}

void numbers(std::string_view bytes) {
  lmdb::Numbers record;
  if (!lmdb::decode_numbers(bytes, record)) return;
  std::string stored;
  lmdb::append_numbers(stored, record);
  lmdb::Numbers again;
  ROTA_CHECK(lmdb::decode_numbers(stored, again));
  ROTA_CHECK(again.epoch == record.epoch && again.next_shared == record.next_shared);
}

}  // namespace

// The first byte chooses the kind of record, the rest is its payload.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  constexpr void (*kKinds[])(std::string_view) = {shared, job, state, lease, end, finished, numbers};
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  kKinds[data[0] % std::size(kKinds)](bytes);
  (void)decode_forget_key(bytes);
  (void)key_number(bytes);
  return 0;
}

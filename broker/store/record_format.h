#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "broker/queue/record.h"

// What is in the store's file: docs/store-format.md, with an example of each record. Keys are big-endian numbers, job ids
// or names, so that byte order is time order. A value is 8 bytes of checksum, little-endian, and then a payload of fields
// (fields.h). The checksum is XXH3-64 of the payload, seeded with the table and the key, so that a record that turns up
// under another key is noticed too. A body larger than kBodyApart carries a checksum of its own in front of it and is left
// out of the record's, so that reading the facts of a job never reads a large payload.
//
// How to change a record (the recipe):
//   1. A new field at the end of a payload that ends in fields, not in bytes: write it always, read it only
//      `if (!reader.rest().empty())`. The format stays.
//   2. A new optional field of a job: take the next reserved flag bit. A broker that does not know a bit that is set
//   refuses
//      the record, so raise kFormat: an older broker then says so at opening instead of at the first such record.
//   3. Anything else: raise kFormat, add the old struct's decoder as `decode_..._v1`, convert in one pass in
//      LmdbStore::upgrade() before load, write the new number last in the same transaction. Never reuse a table's number.
//   4. Add golden bytes of the new record beside the old ones (tests/unit/store/golden); keep the old ones readable.
namespace rota::store {

// The format that this broker writes, and the newest it reads.
inline constexpr std::uint64_t kFormat = 1;

// Numbers are part of every checksum: never change or reuse one.
enum class Table : std::uint8_t {
  meta = 1,      // name → see lmdb_meta.h
  shared = 2,    // number → what the jobs of one submit share
  uses = 3,      // number → how many jobs, live and finished, name that shared record
  bodies = 4,    // sequence → accepted job, immutable
  state = 5,     // sequence → latest change of a live job
  leases = 6,    // dispatch number → open lease
  outcomes = 7,  // finish number → outcome, or tombstone, not yet swept
  finished = 8,  // job id → job and outcome
  forget = 9,    // forget_at, job id → empty
};
inline constexpr std::size_t kTableCount = 9;
[[nodiscard]] std::string_view table_name(Table table);

inline constexpr std::size_t kChecksumSize = 8;
inline constexpr std::size_t kBodyApart = 2048;  // larger values lie on pages of their own in LMDB

// Big-endian: byte order is number order.
using NumberKey = std::array<char, 8>;
[[nodiscard]] NumberKey number_key(std::uint64_t number);
[[nodiscard]] std::optional<std::uint64_t> key_number(std::string_view key);
[[nodiscard]] inline std::string_view view(const NumberKey& key) { return {key.data(), key.size()}; }
[[nodiscard]] std::string_view view(const Uuid& id);

// forget_at (big-endian, times before 1970 as 0), then the id.
using ForgetKey = std::array<char, 24>;
[[nodiscard]] ForgetKey forget_key(Wall forget_at, const JobId& id);
struct ForgetEntry {
  Wall forget_at;
  JobId id;
};
[[nodiscard]] std::optional<ForgetEntry> decode_forget_key(std::string_view key);

[[nodiscard]] std::uint64_t record_checksum(Table table, std::string_view key, std::string_view payload);
// Of a body larger than kBodyApart; seeded with the job's id only, so that it stays as the job moves between tables.
[[nodiscard]] std::uint64_t body_checksum(const JobId& id, std::string_view body);
void write_checksum(char* at, std::uint64_t checksum);
[[nodiscard]] std::uint64_t read_checksum(std::string_view record);

// --- shared part: queue, type, policy, then spec to the end
void append_shared(std::string& out, const queue::SharedRecord& shared);
[[nodiscard]] bool decode_shared(std::string_view payload, queue::SharedRecord& shared);

// --- bodies: flags, shared part (its number, or length and bytes), then the job's fields, [body checksum], body to the end
inline constexpr std::uint8_t kSharedInline = 1;
inline constexpr std::uint8_t kBodyHasChecksum = 2;
// Reserved from format 1: 4 group, 8 after, 16 requirements, 32 owner.
inline constexpr std::uint8_t kRunAtNamed = 64;  // run_at is a time of day that the user named
inline constexpr std::uint8_t kKnownJobFlags = kSharedInline | kBodyHasChecksum | kRunAtNamed;

// Appends the job's fields and its body; returns the flags that go with them.
[[nodiscard]] std::uint8_t append_job(std::string& out, const queue::JobRecord& job, bool checksum_body);

struct StoredJob {
  std::uint64_t shared_number = 0;  // 0: inline
  std::string_view shared;          // inline: the shared part's payload
  queue::JobRecord job;             // without sequence and shared
  bool has_body_checksum = false;
  std::uint64_t body_checksum = 0;
};
// `payload` is a record without its checksum. Views point into it.
[[nodiscard]] bool decode_job(std::string_view payload, StoredJob& stored);
// The same for what append_job() wrote, with its flags.
[[nodiscard]] bool decode_job_fields(std::string_view fields, std::uint8_t flags, StoredJob& stored);
// How many bytes of the payload the record's own checksum covers.
[[nodiscard]] std::size_t checked_size(std::string_view payload, const StoredJob& stored);

// --- state, leases
void append_state(std::string& out, const queue::StateRecord& state);
[[nodiscard]] bool decode_state(std::string_view payload, queue::StateRecord& state);  // without sequence
void append_lease(std::string& out, const queue::LeaseRecord& lease);
[[nodiscard]] bool decode_lease(std::string_view payload, queue::LeaseRecord& lease);  // without token.dispatch

// --- outcomes: kind, sequence, lease to delete (0: none); an outcome goes on with its fields and the report to the end
enum class EndKind : std::uint8_t { outcome = 0, tombstone = 1 };
void append_outcome(std::string& out, const queue::OutcomeRecord& outcome, std::uint64_t lease);
// A job that is to be deleted with all its records.
void append_tombstone(std::string& out, queue::Sequence sequence, std::uint64_t lease);

struct StoredEnd {
  EndKind kind = EndKind::outcome;
  std::uint64_t lease = 0;
  queue::OutcomeRecord outcome;  // a tombstone has only `sequence`
};
[[nodiscard]] bool decode_end(std::string_view payload, StoredEnd& end);

// --- finished: length and bytes of the payload from `outcomes`, then the payload from `bodies`
void append_finished(std::string& out, std::string_view outcome_payload, std::string_view job_payload);
struct StoredFinished {
  StoredEnd end;
  StoredJob stored;
  std::string_view outcome_payload;
  std::string_view job_payload;
};
[[nodiscard]] bool decode_finished(std::string_view payload, StoredFinished& finished);

// --- looks at single fields: they read no further than they must, and what they read is not checked
[[nodiscard]] std::optional<JobState> peek_end_state(std::string_view outcome_payload);
// Of a record of `finished`: the id in its outcome.
[[nodiscard]] std::optional<JobId> peek_finished_id(std::string_view payload);

}  // namespace rota::store

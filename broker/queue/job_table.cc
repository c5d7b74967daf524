#include "broker/queue/job_table.h"

#include <cstring>

namespace rota::queue {
namespace {

__extension__ using Wide = unsigned __int128;

}  // namespace

std::uint64_t JobTable::Seed::hash(const JobId& id) const {
  std::uint64_t head = 0;
  std::uint64_t tail = 0;
  std::memcpy(&head, id.bytes.data(), sizeof head);
  std::memcpy(&tail, id.bytes.data() + sizeof head, sizeof tail);
  const Wide product = static_cast<Wide>(head ^ first) * (tail ^ second);
  const auto folded = static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64U);
  // The table takes the top bits and absl the low ones: mix once more, so that both are good.
  return (folded ^ (folded >> 29U)) * 0x9E3779B97F4A7C15U;
}

JobTable::JobTable(Prng& random) : seed_{random.next(), random.next()} {
  tables_.reserve(std::size_t{1} << kTableBits);
  for (std::size_t i = 0; i < (std::size_t{1} << kTableBits); ++i) tables_.emplace_back(0, Hash{this}, Equal{this});
}

JobIndex JobTable::find(const JobId& id) const {
  const std::uint64_t hash = seed_.hash(id);
  const Table& table = tables_[table_of(hash)];
  const auto found = table.find(id, hash);
  return found == table.end() ? kNone : *found;
}

JobIndex JobTable::insert(const JobId& id) {
  const JobIndex job = entries_.allocate();
  entries_[job].id = id;
  const std::uint32_t chunk = job / kChunkJobs;
  if (chunk == spans_.size()) spans_.emplace_back();
  Span& span = spans_[chunk];
  span.oldest = std::min(span.oldest, time_of(id));
  span.newest = std::max(span.newest, time_of(id));
  const bool inserted = tables_[table_of(seed_.hash(id))].insert(job).second;
  ROTA_CHECK(inserted);
  return job;
}

void JobTable::erase(JobIndex job) {
  JobEntry& entry = entries_[job];
  Table& table = tables_[table_of(seed_.hash(entry.id))];
  ROTA_CHECK(table.erase(entry.id) == 1);
  if (entry.detail != kNone) details_.release(entry.detail);
  entries_.release(job);
}

JobDetail* JobTable::detail(JobIndex job) {
  const std::uint32_t index = entries_[job].detail;
  return index == kNone ? nullptr : &details_[index];
}
const JobDetail* JobTable::detail(JobIndex job) const {
  const std::uint32_t index = entries_[job].detail;
  return index == kNone ? nullptr : &details_[index];
}

JobDetail& JobTable::ensure_detail(JobIndex job) {
  JobEntry& entry = entries_[job];
  if (entry.detail == kNone) entry.detail = details_.allocate();
  return details_[entry.detail];
}

void JobTable::trim_detail(JobIndex job) {
  JobEntry& entry = entries_[job];
  if (entry.detail == kNone) return;
  const JobDetail& detail = details_[entry.detail];
  if (detail.token_open || !detail.consumed.is_none() || detail.expires_at != kNeverSteady || detail.failures != 0 ||
      detail.key != kNone || detail.session != kNone) {
    return;
  }
  details_.release(entry.detail);
  entry.detail = kNone;
}

std::size_t JobTable::bytes() const {
  std::size_t total = entries_.bytes() + details_.bytes() + tables_.capacity() * sizeof(Table);
  // absl keeps a control byte beside each slot.
  for (const Table& table : tables_) total += table.capacity() * (sizeof(JobIndex) + 1);
  return total;
}

}  // namespace rota::queue

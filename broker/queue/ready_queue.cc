#include "broker/queue/ready_queue.h"

#include <bit>

namespace rota::queue {
namespace {

using Rows = std::array<std::uint64_t, 4>;

std::uint8_t row_of(const JobEntry& entry) { return static_cast<std::uint8_t>(127 - entry.priority); }
bool has(const Rows& rows, std::uint8_t row) { return ((rows[row / 64U] >> (row % 64U)) & 1U) != 0; }
void set(Rows& rows, std::uint8_t row) { rows[row / 64U] |= std::uint64_t{1} << (row % 64U); }
void unset(Rows& rows, std::uint8_t row) { rows[row / 64U] &= ~(std::uint64_t{1} << (row % 64U)); }

}  // namespace

ReadyQueue::Level& ReadyQueue::level_of(std::uint8_t row) {
  if (!has(known_, row)) {
    set(known_, row);
    place_[row] = static_cast<std::uint8_t>(levels_.size());
    levels_.emplace_back();
  }
  return levels_[place_[row]];
}

void ReadyQueue::push(JobTable& jobs, JobIndex job) {
  JobEntry& entry = jobs[job];
  const std::uint8_t row = row_of(entry);
  Level& level = level_of(row);
  entry.in_tree = false;
  entry.prev = entry.next = kNone;
  ++size_;
  if (level.head == kNone) {
    level.head = level.tail = job;
    set(occupied_, row);
  } else if (entry.sequence > jobs[level.tail].sequence) {
    entry.prev = level.tail;
    jobs[level.tail].next = job;
    level.tail = job;
  } else if (entry.sequence < jobs[level.head].sequence) {
    entry.next = level.head;
    jobs[level.head].prev = job;
    level.head = job;
  } else {
    entry.in_tree = true;
    tree_.emplace(entry.rank(), job);
  }
}

void ReadyQueue::remove(JobTable& jobs, JobIndex job) {
  JobEntry& entry = jobs[job];
  ROTA_CHECK(size_ > 0);
  --size_;
  if (entry.in_tree) {
    ROTA_CHECK(tree_.erase(entry.rank()) == 1);
    entry.in_tree = false;
    return;
  }
  const std::uint8_t row = row_of(entry);
  Level& level = level_of(row);
  (entry.prev == kNone ? level.head : jobs[entry.prev].next) = entry.next;
  (entry.next == kNone ? level.tail : jobs[entry.next].prev) = entry.prev;
  if (level.head == kNone) unset(occupied_, row);
  entry.prev = entry.next = kNone;
}

JobIndex ReadyQueue::best_listed() const {
  for (std::size_t word = 0; word < occupied_.size(); ++word) {
    if (occupied_[word] == 0) continue;
    const auto row = word * 64 + static_cast<std::size_t>(std::countr_zero(occupied_[word]));
    return levels_[place_[row]].head;
  }
  return kNone;
}

JobIndex ReadyQueue::best(const JobTable& jobs) const {
  const JobIndex listed = best_listed();
  if (tree_.empty()) return listed;
  const auto& [rank, job] = *tree_.begin();
  return listed == kNone || rank < jobs[listed].rank() ? job : listed;
}

JobIndex ReadyQueue::any_through(const JobTable& jobs, Sequence through) const {
  // A list is in order of sequence: its head is the lowest of its priority. The tree is so within each priority.
  for (const Level& level : levels_) {
    if (level.head != kNone && jobs[level.head].sequence <= through) return level.head;
  }
  for (auto at = tree_.begin(); at != tree_.end();) {
    if (jobs[at->second].sequence <= through) return at->second;
    const Rank row = at->first >> 56U;
    if (row == 255) break;
    at = tree_.lower_bound((row + 1) << 56U);
  }
  return kNone;
}

}  // namespace rota::queue

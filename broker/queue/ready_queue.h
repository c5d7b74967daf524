#pragma once

#include <absl/container/btree_map.h>

#include <array>
#include <cstdint>
#include <vector>

#include "broker/queue/job_table.h"

namespace rota::queue {

// The ready jobs of a dispatch class in hand-out order: priority, then sequence. Jobs that arrive in order, or before all
// others of their priority, go into a linked list per priority (O(1)); the rest, requeued or delayed ones, into a tree.
// Uses the entries' links while they are in it.
class ReadyQueue {
 public:
  void push(JobTable& jobs, JobIndex job);
  void remove(JobTable& jobs, JobIndex job);                // must be in it
  [[nodiscard]] JobIndex best(const JobTable& jobs) const;  // kNone if empty
  // The first job of the list or tree whose sequence is at most `through`, in no particular order; kNone if there is none.
  [[nodiscard]] JobIndex any_through(const JobTable& jobs, Sequence through) const;
  [[nodiscard]] bool empty() const { return size_ == 0; }
  [[nodiscard]] std::uint32_t size() const { return size_; }
  template <typename Visit>
  void each(const JobTable& jobs, Visit visit) const {
    for (const Level& level : levels_) {
      for (JobIndex job = level.head; job != kNone; job = jobs[job].next) visit(job);
    }
    for (const auto& [rank, job] : tree_) visit(job);
  }

 private:
  struct Level {  // one priority
    JobIndex head = kNone, tail = kNone;
  };
  [[nodiscard]] JobIndex best_listed() const;
  [[nodiscard]] Level& level_of(std::uint8_t row);

  // Row: 127 - priority, so that the first set bit is the best.
  std::array<std::uint64_t, 4> occupied_{};  // rows whose list is not empty
  std::array<std::uint64_t, 4> known_{};     // rows that have a Level
  std::array<std::uint8_t, 256> place_{};    // row to Level
  std::vector<Level> levels_;
  absl::btree_map<Rank, JobIndex> tree_;
  std::uint32_t size_ = 0;
};

}  // namespace rota::queue

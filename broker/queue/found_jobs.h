#pragma once

#include <absl/container/flat_hash_map.h>

#include <functional>
#include <span>

#include "broker/queue/record.h"

namespace rota::queue {

// The finished jobs that a command brought from the store, by id. Views them.
class FoundJobs {
 public:
  explicit FoundJobs(std::span<const FinishedJob> found) : found_(found) {
    if (found_.size() <= kScan) return;
    for (const FinishedJob& one : found_) by_id_.emplace(one.job.id, &one);
  }
  [[nodiscard]] const FinishedJob* find(const JobId& id) const {
    if (found_.size() > kScan) {
      const auto at = by_id_.find(id);
      return at == by_id_.end() ? nullptr : at->second;
    }
    for (const FinishedJob& one : found_) {
      if (one.job.id == id) return &one;
    }
    return nullptr;
  }

 private:
  static constexpr std::size_t kScan = 8;  // up to here a scan beats a table
  std::span<const FinishedJob> found_;
  absl::flat_hash_map<JobId, const FinishedJob*, std::hash<Uuid>> by_id_;
};

}  // namespace rota::queue

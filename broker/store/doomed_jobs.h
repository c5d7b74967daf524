#pragma once

#include <atomic>
#include <deque>
#include <mutex>
#include <optional>
#include <set>
#include <span>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "broker/store/grace.h"
#include "broker/store/record_format.h"

namespace rota::store {

// Finished jobs that --finished-limit drops. They are hidden at once and deleted a grace later: whatever was read of one
// before, a retry for example, is decided and committed before its record goes. A read that began before and is still under
// way holds the deletion up. In memory only: after a restart nothing read before is left, and they are chosen anew.
// Thread-safe; what changes slices is for one thread.
class DoomedJobs {
 public:
  // While it lives, nothing that is doomed after its begin is due.
  class Read {
   public:
    explicit Read(DoomedJobs& doomed);
    ~Read();
    Read(const Read&) = delete;
    Read& operator=(const Read&) = delete;

   private:
    DoomedJobs& doomed_;
    std::multiset<Millis>::iterator at_;
  };

  [[nodiscard]] bool contains(const JobId& id) const;
  [[nodiscard]] std::size_t size() const { return size_.load(std::memory_order_relaxed); }

  // Store thread: time passes. Call it with each maintenance.
  void advance(Wall now);
  void doom(std::vector<ForgetEntry> slice);
  [[nodiscard]] bool is_due() const;
  // The oldest slice if its time has come, those of it left out that are spared.
  [[nodiscard]] std::optional<std::vector<ForgetEntry>> due() const;
  // The slice that due() gave is deleted.
  void done();
  // These went on or are gone: their ids are not hidden any more.
  void spare(std::span<const JobId> ids);

 private:
  struct Slice {
    std::vector<ForgetEntry> jobs;
    Millis doomed_at{0};
    Millis due_at{0};
  };

  mutable std::mutex mutex_;
  absl::flat_hash_set<JobId> ids_;
  std::atomic<std::size_t> size_{0};  // of ids_, so that nobody locks for an empty one
  std::deque<Slice> slices_;
  std::multiset<Millis> reads_;  // when those under way began
  GraceClock clock_;
};

}  // namespace rota::store

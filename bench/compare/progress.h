#pragma once

#include <atomic>
#include <cstdint>
#include <vector>

#include "bench/compare/load.h"
#include "bench/compare/sync_watch.h"

namespace rota::compare {

// What has become of the jobs of a run: producers and workers tell it, the workload reads it. Jobs are numbered from 0.
// Thread-safe: each job's times are written by one thread each and read when all have ended.
class Progress {
 public:
  // `syncs`: null where the server is not watched.
  Progress(const Load& load, const SyncRecord* syncs);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  // Readable when jobs were completed after wake_when_done(): for producers that are not told the end by the server. They
  // read it empty with clear_wake().
  [[nodiscard]] int wake_fd() const { return wake_fd_; }
  void wake_when_done() { asleep_.store(true); }
  void clear_wake();

  // By producers.
  void submitted(std::uint64_t job, std::int64_t at_ns) { submitted_at_[job] = at_ns; }
  void acknowledged(std::uint64_t job);
  void known(std::uint64_t job);  // the submitter has the job's result
  // By workers.
  void had(std::uint64_t job);           // the worker holds the job
  void completed(std::uint64_t job);     // the server has the completion, as far as its protocol tells
  void completed_more(std::uint64_t n);  // end of a batch of completed(): wakes who waits

  [[nodiscard]] std::uint64_t acknowledged_count() const { return acknowledged_.load(std::memory_order_relaxed); }
  [[nodiscard]] std::uint64_t known_count() const { return known_.load(std::memory_order_relaxed); }
  [[nodiscard]] std::uint64_t completed_count() const { return completed_.load(std::memory_order_acquire); }
  // Submits that were acknowledged without a sync since; counted only where the server is watched.
  [[nodiscard]] std::uint64_t unsynced() const { return unsynced_.load(); }
  [[nodiscard]] bool is_watched() const { return syncs_ != nullptr; }

  // Blocks until so many are completed.
  void wait_completed(std::uint64_t jobs);

  // Times by job, 0 where it did not happen; filled if the workload is latency.
  struct Times {
    std::vector<std::int64_t> acknowledged, had, completed, known;
  };
  [[nodiscard]] const std::vector<std::int64_t>& submitted_at() const { return submitted_at_; }
  [[nodiscard]] const Times& times() const { return times_; }

 private:
  const SyncRecord* syncs_;
  bool keeps_times_;
  int wake_fd_ = -1;
  std::atomic<bool> asleep_{false};
  std::atomic<std::uint64_t> acknowledged_{0}, known_{0}, completed_{0}, unsynced_{0};
  std::vector<std::int64_t> submitted_at_;
  Times times_;
};

}  // namespace rota::compare

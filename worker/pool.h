#pragma once

#include <array>
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <string_view>
#include <vector>

#include "common/base/limits.h"
#include "worker/run.h"
#include "worker/spawner/descriptor.h"

namespace rota::worker {

// Where the leading thread (which owns sockets and cores) and the handler threads meet: runs one way, first in, first out,
// ended runs and progress the other way. The leader waits on wake_fd() with its sockets.
class Pool {
 public:
  Pool();

  // --- leader ---
  // At most kRing runs may be under way.
  void push(Run* run);
  void wake_for_pushed();  // after the last push() of a round
  // How many runs were ever taken up by a thread: the first so many that were pushed.
  [[nodiscard]] std::uint64_t taken() const { return head_.load(std::memory_order_acquire); }
  [[nodiscard]] bool someone_idle() const { return idle_.load(std::memory_order_relaxed) > 0; }
  void collect(std::vector<Done>& done, std::vector<ProgressReport>& progress);
  [[nodiscard]] int wake_fd() const { return wake_.get(); }
  // Before the leader waits: whether it looks again within a flush interval by itself. False: do not wait longer than that,
  // something has ended of which it was not told.
  [[nodiscard]] bool may_wait(bool looks_soon);
  void close();  // threads leave take()

  // --- handler threads ---
  // The next run; nothing when `patience` is over or the pool was closed.
  [[nodiscard]] Run* take(std::chrono::milliseconds patience);
  [[nodiscard]] bool closed() const { return closed_.load(std::memory_order_acquire); }
  void report(Done done);
  // One that is not urgent is seen when the leader next looks; `place` is the run's.
  void report(ProgressReport progress, ProgressPlace& place, bool urgent);
  // Calls one idle thread out of take().
  void nudge();

  // --- any thread ---
  void wake_leader();
  // Runs a job's handler in the calling thread; what it throws becomes its outcome.
  [[nodiscard]] Outcome execute(Run& run);

  static constexpr std::size_t kRing = 8192;
  static_assert(kRing >= limits::kMaxSlots + limits::kMaxStartAhead && (kRing & (kRing - 1)) == 0);

 private:
  [[nodiscard]] Run* pop();

  // One producer, many consumers: a consumer owns ring_[h] once it moved head_ from h to h + 1.
  std::array<std::atomic<Run*>, kRing> ring_{};
  alignas(64) std::atomic<std::uint64_t> head_{0};
  alignas(64) std::atomic<std::uint64_t> tail_{0};
  std::uint64_t announced_ = 0;  // leader's: tail_ at the last wake-up

  std::mutex sleep_;
  std::condition_variable pushed_;
  std::atomic<std::uint32_t> idle_{0};
  std::uint64_t nudges_ = 0;  // under sleep_
  std::atomic<bool> closed_{false};

  std::mutex done_mutex_;
  std::vector<Done> done_;
  std::vector<ProgressReport> progress_;
  std::uint64_t round_ = 1;  // of collecting
  bool looks_soon_ = false;  // the leader does
  std::atomic<bool> wake_pending_{false};
  spawner::Descriptor wake_;
};

}  // namespace rota::worker

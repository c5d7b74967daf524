#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "broker/server/store_port.h"

namespace rota::server {

// What maintenance did since it was last asked.
struct MaintenanceTotals {
  std::uint64_t swept = 0, forgotten = 0, forgotten_early = 0;
};

// Carries out store work on two threads: one commits and, between commits, maintains; one reads, because what it reads may
// fault pages. The loop thread hands over work and collects results; an eventfd tells it when there are any.
class StoreThreads final : public StorePort {
 public:
  // `store` must outlive this. Threads start with every signal blocked as the caller has them.
  explicit StoreThreads(store::Store& store);
  // Finishes what was handed over, then joins.
  ~StoreThreads() override;
  StoreThreads(const StoreThreads&) = delete;
  StoreThreads& operator=(const StoreThreads&) = delete;

  void commit(std::unique_ptr<CommitTask> task) override;
  void read(std::unique_ptr<ReadTask> task) override;

  // Readable when something is done.
  [[nodiscard]] int done_fd() const { return done_fd_; }
  // Makes done_fd() unreadable and moves out what is done, in order.
  struct Done {
    std::vector<std::unique_ptr<CommitTask>> commits;
    std::vector<std::unique_ptr<ReadTask>> reads;
    MaintenanceTotals maintenance;
    Status fault;  // of maintenance; the process must end
  };
  void collect(Done& into);
  // The id clock, by which finished jobs are forgotten. Tell it each turn.
  void tell_clock(Wall id_clock) { clock_ms_.store(id_clock.ms, std::memory_order_relaxed); }

 private:
  void commit_loop();
  void read_loop();
  // One slice. Returns how long until the next is due.
  [[nodiscard]] Millis maintain();
  void announce();

  store::Store& store_;
  std::atomic<std::int64_t> clock_ms_{0};  // 0: nothing is forgotten yet
  int done_fd_ = -1;
  std::mutex mutex_;
  std::condition_variable commit_wanted_, read_wanted_;
  std::unique_ptr<CommitTask> to_commit_;
  std::deque<std::unique_ptr<ReadTask>> to_read_;
  Done done_;
  bool stopping_ = false;
  std::thread committer_, reader_;
};

}  // namespace rota::server

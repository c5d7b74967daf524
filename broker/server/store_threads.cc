#include "broker/server/store_threads.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <chrono>
#include <utility>

#include "common/base/check.h"
#include "common/base/clock.h"
#include "common/base/limits.h"

namespace rota::server {

StoreThreads::StoreThreads(store::Store& store) : store_(store), done_fd_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  ROTA_CHECK(done_fd_ >= 0);
  committer_ = std::thread([this] { commit_loop(); });
  reader_ = std::thread([this] { read_loop(); });
}

StoreThreads::~StoreThreads() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  commit_wanted_.notify_all();
  read_wanted_.notify_all();
  committer_.join();
  reader_.join();
  ::close(done_fd_);
}

void StoreThreads::commit(std::unique_ptr<CommitTask> task) {
  {
    const std::lock_guard lock(mutex_);
    ROTA_CHECK(to_commit_ == nullptr);
    to_commit_ = std::move(task);
  }
  commit_wanted_.notify_one();
}

void StoreThreads::read(std::unique_ptr<ReadTask> task) {
  {
    const std::lock_guard lock(mutex_);
    to_read_.push_back(std::move(task));
  }
  read_wanted_.notify_one();
}

void StoreThreads::collect(Done& into) {
  std::uint64_t count = 0;
  (void)!::read(done_fd_, &count, sizeof count);
  into = Done{};
  const std::lock_guard lock(mutex_);
  std::swap(into, done_);
}

void StoreThreads::announce() {
  const std::uint64_t one = 1;
  (void)!::write(done_fd_, &one, sizeof one);
}

void StoreThreads::commit_loop() {
  std::unique_lock lock(mutex_);
  Millis until_maintenance{0};
  std::int64_t maintained_us = 0;
  for (;;) {
    const bool has_work = commit_wanted_.wait_for(lock, until_maintenance, [this] { return stopping_ || to_commit_; });
    std::unique_ptr<CommitTask> task = std::move(to_commit_);
    if (task == nullptr && stopping_) return;
    if (task != nullptr) {
      lock.unlock();
      carry_out(store_, *task);
      lock.lock();
      const bool failed = !task->status.ok();
      done_.commits.push_back(std::move(task));
      announce();
      if (failed) return;  // nothing may be written any more
    }
    // Under load there is never a pause: a slice now and then keeps the sweeper from falling behind.
    const bool overdue = monotonic_us() - maintained_us > limits::kMaintainUnderLoad.count() * 1000;
    if (!has_work || (overdue && until_maintenance == Millis{0})) {
      lock.unlock();
      until_maintenance = maintain();
      maintained_us = monotonic_us();
      lock.lock();
      if (!done_.fault.ok()) return;
    } else if (overdue) {
      until_maintenance = Millis{0};
    }
  }
}

Millis StoreThreads::maintain() {
  const Result<store::MaintainInfo> result = store_.maintain(Wall{clock_ms_.load(std::memory_order_relaxed)});
  const std::lock_guard lock(mutex_);
  if (!result.ok()) {
    done_.fault = result.error();
    announce();
    return limits::kMaintainIdle;
  }
  done_.maintenance.swept += result->swept;
  done_.maintenance.forgotten += result->forgotten;
  done_.maintenance.forgotten_early += result->forgotten_early;
  return result->more ? Millis{0} : limits::kMaintainIdle;
}

void StoreThreads::read_loop() {
  std::unique_lock lock(mutex_);
  for (;;) {
    read_wanted_.wait(lock, [this] { return stopping_ || !to_read_.empty(); });
    if (to_read_.empty()) return;
    std::unique_ptr<ReadTask> task = std::move(to_read_.front());
    to_read_.pop_front();
    lock.unlock();
    carry_out(store_, *task);
    lock.lock();
    done_.reads.push_back(std::move(task));
    announce();
  }
}

}  // namespace rota::server

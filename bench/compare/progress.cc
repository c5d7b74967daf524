#include "bench/compare/progress.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include "bench/compare/failure.h"
#include "bench/compare/monotonic_clock.h"

namespace rota::compare {

Progress::Progress(const Load& load, const SyncRecord* syncs)
    : syncs_(syncs), keeps_times_(load.workload == "latency"), submitted_at_(load.jobs) {
  wake_fd_ = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (wake_fd_ < 0) fail_errno("eventfd");
  if (!keeps_times_) return;
  for (auto* times : {&times_.acknowledged, &times_.had, &times_.completed, &times_.known}) times->resize(load.jobs);
}

Progress::~Progress() { ::close(wake_fd_); }

void Progress::clear_wake() {
  std::uint64_t count = 0;
  [[maybe_unused]] const ssize_t got = ::read(wake_fd_, &count, sizeof count);
}

void Progress::acknowledged(std::uint64_t job) {
  if (syncs_ != nullptr && syncs_->latest_begin_ns.load() < submitted_at_[job]) {
    unsynced_.fetch_add(1, std::memory_order_relaxed);
  }
  if (keeps_times_) times_.acknowledged[job] = now_ns();
  acknowledged_.fetch_add(1, std::memory_order_relaxed);
}

void Progress::known(std::uint64_t job) {
  if (keeps_times_) times_.known[job] = now_ns();
  known_.fetch_add(1, std::memory_order_relaxed);
}

void Progress::had(std::uint64_t job) {
  if (keeps_times_ && job < times_.had.size()) times_.had[job] = now_ns();
}

void Progress::completed(std::uint64_t job) {
  if (keeps_times_ && job < times_.completed.size()) times_.completed[job] = now_ns();
}

void Progress::completed_more(std::uint64_t n) {
  completed_.fetch_add(n);
  completed_.notify_all();
  if (asleep_.exchange(false)) {
    const std::uint64_t one = 1;
    [[maybe_unused]] const ssize_t sent = ::write(wake_fd_, &one, sizeof one);
  }
}

void Progress::wait_completed(std::uint64_t jobs) {
  for (std::uint64_t seen = completed_.load(); seen < jobs; seen = completed_.load()) completed_.wait(seen);
}

}  // namespace rota::compare

#include "worker/pool.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <chrono>
#include <exception>
#include <utility>

#include "common/base/check.h"
#include "common/base/clock.h"

namespace rota::worker {
namespace {

// What a handler sees while it runs.
class RunContext final : public Context {
 public:
  RunContext(Pool& pool, const Run& run) : pool_(pool), run_(run) {}
  [[nodiscard]] bool stop_requested() const override { return run_.stop.load(std::memory_order_relaxed); }
  void progress(double fraction, std::string_view message) override {
    const std::int64_t now = monotonic_us();
    constexpr std::int64_t kLeastUs = 200'000;  // passed on once a second at most; a tight loop must not flood
    const bool urgent = reported_us_ == 0 || now - reported_us_ >= kLeastUs;
    if (urgent) reported_us_ = now;
    message = message.substr(0, limits::kMaxProgressMessage);
    pool_.report(ProgressReport{run_.link, run_.job, fraction, std::string{message}}, place_, urgent);
  }

 private:
  Pool& pool_;
  const Run& run_;
  std::int64_t reported_us_ = 0;
  ProgressPlace place_;
};

Job job_of(const Assignment& what) {
  const wire::DispatchItem& item = what.item();
  const wire::DispatchShared& shared = what.shared();
  Job job;
  job.id = item.id;
  job.queue = shared.queue;
  job.type = shared.type;
  job.name = what.spec().name;
  job.attempt = item.attempt;
  job.headers = what.spec().headers;
  job.payload = item.payload;
  if (item.selector.kind == wire::Selector::Kind::index) job.index = item.selector.index;
  if (item.selector.kind == wire::Selector::Kind::line) job.line = item.selector.line;
  return job;
}

}  // namespace

Pool::Pool() : wake_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) { ROTA_CHECK(wake_.open()); }

void Pool::push(Run* run) {
  const std::uint64_t tail = tail_.load(std::memory_order_relaxed);
  ROTA_CHECK(tail - head_.load(std::memory_order_acquire) < kRing);
  ring_[tail & (kRing - 1)].store(run, std::memory_order_relaxed);
  // Sequentially consistent with idle_: either a thread about to sleep sees the run, or wake_for_pushed() sees the thread.
  tail_.store(tail + 1, std::memory_order_seq_cst);
}

void Pool::wake_for_pushed() {
  const std::uint64_t tail = tail_.load(std::memory_order_relaxed);
  const std::uint64_t fresh = tail - announced_;
  announced_ = tail;
  const std::uint32_t idle = idle_.load(std::memory_order_seq_cst);
  if (fresh == 0 || idle == 0) return;
  const std::lock_guard lock{sleep_};
  if (fresh >= idle) {
    pushed_.notify_all();
  } else {
    for (std::uint64_t one = 0; one < fresh; ++one) pushed_.notify_one();
  }
}

Run* Pool::pop() {
  std::uint64_t head = head_.load(std::memory_order_relaxed);
  while (head < tail_.load(std::memory_order_seq_cst)) {
    Run* const run = ring_[head & (kRing - 1)].load(std::memory_order_relaxed);
    if (head_.compare_exchange_weak(head, head + 1, std::memory_order_acq_rel)) return run;
  }
  return nullptr;
}

Run* Pool::take(std::chrono::milliseconds patience) {
  if (Run* const run = pop()) return run;
  std::unique_lock lock{sleep_};
  idle_.fetch_add(1, std::memory_order_seq_cst);
  const std::uint64_t nudges = nudges_;
  const auto until = std::chrono::steady_clock::now() + patience;
  Run* run = nullptr;
  while (!closed_.load(std::memory_order_relaxed) && nudges == nudges_) {
    run = pop();
    if (run != nullptr || pushed_.wait_until(lock, until) == std::cv_status::timeout) break;
  }
  idle_.fetch_sub(1, std::memory_order_seq_cst);
  return run;
}

void Pool::nudge() {
  const std::lock_guard lock{sleep_};
  ++nudges_;
  pushed_.notify_one();
}

void Pool::close() {
  const std::lock_guard lock{sleep_};
  closed_.store(true, std::memory_order_release);
  pushed_.notify_all();
}

void Pool::wake_leader() {
  if (wake_pending_.exchange(true, std::memory_order_acq_rel)) return;
  const std::uint64_t one = 1;
  [[maybe_unused]] const ssize_t size = write(wake_.get(), &one, sizeof one);
}

void Pool::report(Done done) {
  // While the leader looks by itself every flush interval, only the last quick run of a row wakes it.
  bool wakes = !done.run->quick || head_.load(std::memory_order_relaxed) >= tail_.load(std::memory_order_relaxed);
  {
    const std::lock_guard lock{done_mutex_};
    done_.push_back(std::move(done));
    wakes = wakes || !looks_soon_;
  }
  if (wakes) wake_leader();
}

void Pool::report(ProgressReport progress, ProgressPlace& place, bool urgent) {
  {
    const std::lock_guard lock{done_mutex_};
    if (place.round == round_) {
      progress_[place.at] = std::move(progress);
    } else {
      place = {round_, progress_.size()};
      progress_.push_back(std::move(progress));
    }
  }
  if (urgent) wake_leader();
}

bool Pool::may_wait(bool looks_soon) {
  const std::lock_guard lock{done_mutex_};
  looks_soon_ = looks_soon;
  return looks_soon || done_.empty();
}

void Pool::collect(std::vector<Done>& done, std::vector<ProgressReport>& progress) {
  if (wake_pending_.load(std::memory_order_acquire)) {
    std::uint64_t ignored = 0;
    [[maybe_unused]] const ssize_t size = read(wake_.get(), &ignored, sizeof ignored);
    wake_pending_.store(false, std::memory_order_release);
  }
  done.clear();
  progress.clear();
  const std::lock_guard lock{done_mutex_};
  done.swap(done_);
  progress.swap(progress_);
  ++round_;
}

Outcome Pool::execute(Run& run) {
  RunContext context{*this, run};
  try {
    return (*run.handler)(job_of(run.what), context);
  } catch (const std::exception& thrown) {
    return Outcome::failure("EXCEPTION", thrown.what());
  } catch (...) {
    return Outcome::failure("EXCEPTION", "the handler threw something that is no std::exception");
  }
}

}  // namespace rota::worker

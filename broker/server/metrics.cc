#include "broker/server/metrics.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "broker/server/engine.h"
#include "common/base/check.h"
#include "common/base/limits.h"

namespace rota::server {

namespace {

void take_queue(MetricsSnapshot& snapshot, const queue::QueueView& view) {
  const bool is_own = snapshot.queues.size() < limits::kMaxMetricQueues;
  if (!is_own) ++snapshot.queues_left_out;
  MetricsSnapshot::Queue& queue = is_own ? snapshot.queues.emplace_back() : snapshot.others;
  if (is_own) {
    queue.name = view.queue;
    queue.paused = view.paused;
    queue.workers = view.workers;
  }
  for (std::size_t state = 0; state < kJobStateCount; ++state) queue.by_state[state] += view.by_state[state];
  queue.accepted += view.accepted;
  queue.dispatched += view.dispatched;
  const double age_s = view.oldest_ready ? static_cast<double>(view.oldest_ready->count()) / 1000.0 : 0;
  queue.oldest_ready_s = std::max(queue.oldest_ready_s, age_s);
}

}  // namespace

MetricsSnapshot take_snapshot(const Engine& engine, const store::Store& store, const store::Store& volatile_store,
                              Now now) {
  MetricsSnapshot snapshot;
  const queue::Core& core = engine.core();
  core.each_queue(now, [&snapshot](const queue::QueueView& view) { take_queue(snapshot, view); });
  snapshot.core = core.counters();
  snapshot.server = engine.counters();
  snapshot.store = store.usage();
  snapshot.memory_jobs = volatile_store.usage();
  const std::string& software = engine.options().software;  // "rota 0.1.0"
  snapshot.version = software.substr(software.rfind(' ') + 1);
  snapshot.epoch = engine.options().epoch;
  snapshot.live_jobs = core.live_jobs();
  snapshot.index_bytes = core.index_bytes();
  snapshot.clients = engine.sessions().clients();
  snapshot.workers = engine.sessions().workers();
  snapshot.waits = engine.waiters().size();
  snapshot.uncommitted_bytes = engine.pipeline().uncommitted_bytes();
  snapshot.held_bytes = engine.pipeline().held_bytes();
  snapshot.parked_bytes = engine.parking().bytes();
  return snapshot;
}

MetricsExchange::MetricsExchange() : wanted_fd_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) { ROTA_CHECK(wanted_fd_ >= 0); }

MetricsExchange::~MetricsExchange() { ::close(wanted_fd_); }

void MetricsExchange::publish(MetricsSnapshot snapshot) {
  std::uint64_t count = 0;
  (void)!::read(wanted_fd_, &count, sizeof count);
  {
    const std::lock_guard lock(mutex_);
    snapshot_ = std::make_shared<const MetricsSnapshot>(std::move(snapshot));
    ++version_;
  }
  published_.notify_all();
}

std::shared_ptr<const MetricsSnapshot> MetricsExchange::fetch(Millis patience) {
  std::unique_lock lock(mutex_);
  const std::uint64_t before = version_;
  const std::uint64_t one = 1;
  (void)!::write(wanted_fd_, &one, sizeof one);
  if (!published_.wait_for(lock, patience, [&] { return version_ > before; })) return nullptr;
  return snapshot_;
}

}  // namespace rota::server

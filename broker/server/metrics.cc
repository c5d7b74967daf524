#include "broker/server/metrics.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <utility>

#include "broker/server/engine.h"
#include "common/base/check.h"
#include "common/base/limits.h"

namespace rota::server {

MetricsSnapshot take_snapshot(const Engine& engine, const store::Store& store, Now now) {
  MetricsSnapshot snapshot;
  const queue::Core& core = engine.core();
  core.each_queue(now, [&snapshot](const queue::QueueView& view) {
    if (snapshot.queues.size() >= limits::kMaxMetricQueues) {
      ++snapshot.queues_left_out;
      return;
    }
    MetricsSnapshot::Queue& queue = snapshot.queues.emplace_back();
    queue.name = view.queue;
    queue.paused = view.paused;
    std::copy(std::begin(view.by_state), std::end(view.by_state), std::begin(queue.by_state));
    queue.oldest_ready_s = view.oldest_ready ? static_cast<double>(view.oldest_ready->count()) / 1000.0 : 0;
  });
  snapshot.core = core.counters();
  snapshot.server = engine.counters();
  snapshot.store = store.usage();
  snapshot.live_jobs = core.live_jobs();
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

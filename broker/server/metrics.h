#pragma once

#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "broker/queue/core.h"
#include "broker/server/counters.h"
#include "broker/server/peers.h"
#include "broker/server/process_figures.h"
#include "broker/store/store.h"
#include "common/base/clock.h"

namespace rota::server {

class Engine;

// A copy of everything that /metrics shows, made by the loop thread.
struct MetricsSnapshot {
  struct Queue {
    std::string name;
    bool paused = false;
    std::uint64_t by_state[kJobStateCount] = {};
    std::uint64_t accepted = 0, dispatched = 0;
    double oldest_ready_s = 0;
    std::uint32_t workers = 0;
  };
  std::vector<Queue> queues;        // the first limits::kMaxMetricQueues
  std::size_t queues_left_out = 0;  // those beyond, and what they have together: counts summed, the oldest job's age
  Queue others;
  queue::Counters core;
  ServerCounters server;
  store::Usage store;
  store::Usage memory_jobs;
  std::string version;
  std::uint64_t epoch = 0;
  std::uint64_t live_jobs = 0;
  std::size_t index_bytes = 0;
  std::size_t clients = 0, workers = 0, waits = 0;
  std::size_t uncommitted_bytes = 0, held_bytes = 0, parked_bytes = 0;
  Peers::Sent sent;  // on both sides
};

[[nodiscard]] MetricsSnapshot take_snapshot(const Engine& engine, const store::Store& store,
                                            const store::Store& volatile_store, Now now);
// Prometheus text format 0.0.4. docs/metrics.md lists what it holds.
[[nodiscard]] std::string to_prometheus(const MetricsSnapshot& snapshot, const ProcessFigures& process);

// Hands snapshots from the loop thread to the HTTP thread: the reader asks, the loop answers at its next turn.
class MetricsExchange {
 public:
  MetricsExchange();
  ~MetricsExchange();
  MetricsExchange(const MetricsExchange&) = delete;
  MetricsExchange& operator=(const MetricsExchange&) = delete;

  // Loop thread: readable when a snapshot is wanted.
  [[nodiscard]] int wanted_fd() const { return wanted_fd_; }
  void publish(MetricsSnapshot snapshot);
  // Any thread: a snapshot made after this call. Null: the loop did not answer within `patience`.
  [[nodiscard]] std::shared_ptr<const MetricsSnapshot> fetch(Millis patience);

 private:
  int wanted_fd_ = -1;
  std::mutex mutex_;
  std::condition_variable published_;
  std::uint64_t version_ = 0;
  std::shared_ptr<const MetricsSnapshot> snapshot_;
};

}  // namespace rota::server

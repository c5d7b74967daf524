#pragma once

#include <cstdint>
#include <string_view>

#include "common/base/clock.h"
#include "tests/sim/dice.h"

namespace rota::sim {

inline constexpr std::string_view kQueues[] = {"default", "mail", "video"};
inline constexpr std::string_view kTypes[] = {"small", "large"};

// What kind of run a seed makes: sizes, speeds, and which faults come how often. Rates are per simulated second.
struct Weather {
  Millis busy{30'000};  // how long clients ask for things and faults happen
  std::size_t clients = 3, workers = 3;
  std::size_t queues = 2;
  Millis lease{5000};
  Millis dedup_window{600'000};
  // The network's and the disk's usual delays.
  std::int64_t net_most = 5;
  std::int64_t commit_most = 10;
  double client_pause = 0.6;    // mean seconds between two things that a client does
  double long_jobs = 0.05;      // share of jobs that run for seconds
  double failing = 0.1;         // share of runs that fail
  std::int64_t run_most = 300;  // milliseconds; of the other runs
  double late_reports = 0;      // share of runs whose end is reported again, late
  // Faults.
  double cuts = 0, black_holes = 0, partitions = 0;
  double broker_crashes = 0, broker_stops = 0, broker_stalls = 0;
  double worker_crashes = 0, worker_stalls = 0, worker_drains = 0;
  double client_crashes = 0, client_stalls = 0;
  double lease_stalls = 0;  // a worker stands still just longer than its lease
  double disk_full = 0, disk_slow = 0, disk_fails = 0;
  double clock_steps = 0;
  double read_fails = 0, malformed = 0, client_leaves = 0;
  // Bounds of the broker's memory and store; 0: far away.
  std::uint64_t memory_limit = 0;
  std::size_t finished_limit = 0;
  std::size_t list_visits = 1000;  // records that one look at the finished jobs passes over
  // What clients do beyond submitting and waiting; shares of their actions.
  double cancels = 0.05, retries = 0.05, resubmits = 0.1, conflicts = 0.02, pauses = 0.02, purges = 0;
  double keys = 0.1, delays = 0.1, expiries = 0.05, memory = 0.15, limits = 0.05, short_keeps = 0.02, ids_ahead = 0.05;
  double lists = 0.03, bulk_retries = 0, drains = 0;
};

[[nodiscard]] Weather draw_weather(Dice& dice);

}  // namespace rota::sim

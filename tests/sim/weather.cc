#include "tests/sim/weather.h"

namespace rota::sim {

Weather draw_weather(Dice& dice) {
  Weather weather;
  weather.busy = dice.millis(5000, 45'000);
  weather.clients = static_cast<std::size_t>(dice.between(1, 4));
  weather.workers = static_cast<std::size_t>(dice.between(1, 5));
  weather.queues = static_cast<std::size_t>(dice.between(1, 3));
  weather.lease = dice.chance(0.3) ? Millis{15'000} : dice.millis(1500, 6000);
  if (dice.chance(0.3)) weather.dedup_window = dice.millis(12'000, 40'000);
  weather.net_most = dice.chance(0.3) ? dice.between(50, 400) : dice.between(0, 8);
  weather.commit_most = dice.chance(0.3) ? dice.between(50, 500) : dice.between(1, 20);
  weather.client_pause = 0.05 + 1.2 * static_cast<double>(dice.between(0, 100)) / 100;
  weather.long_jobs = dice.chance(0.5) ? 0.02 : 0.15;
  weather.failing = dice.chance(0.3) ? 0.4 : 0.08;
  // Half of the faults are at home in a run, each at a rate of its own: some seeds are calm, some are a storm of one kind.
  const double storm = dice.chance(0.15) ? 0 : 1;
  const auto rate = [&](double most) {
    return dice.chance(0.5) ? storm * most * static_cast<double>(dice.between(1, 100)) / 100 : 0;
  };
  weather.cuts = rate(0.8);
  weather.black_holes = rate(0.3);
  weather.partitions = rate(0.15);
  weather.broker_crashes = rate(0.25);
  weather.broker_stops = rate(0.08);
  weather.broker_stalls = rate(0.1);
  weather.worker_crashes = rate(0.3);
  weather.worker_stalls = rate(0.2);
  weather.worker_drains = rate(0.1);
  weather.client_crashes = rate(0.15);
  weather.disk_full = rate(0.1);
  weather.disk_slow = rate(0.1);
  weather.disk_fails = rate(0.05);
  weather.clock_steps = rate(0.15);
  weather.cancels = dice.chance(0.5) ? 0.08 : 0;
  weather.retries = dice.chance(0.5) ? 0.08 : 0;
  weather.resubmits = dice.chance(0.7) ? 0.12 : 0;
  weather.conflicts = dice.chance(0.3) ? 0.04 : 0;
  weather.pauses = dice.chance(0.4) ? 0.05 : 0;
  weather.purges = dice.chance(0.15) ? 0.03 : 0;
  // Another content under a purged id would be a new job.
  if (weather.purges > 0) weather.conflicts = 0;
  weather.keys = dice.chance(0.4) ? 0.15 : 0;
  weather.delays = dice.chance(0.5) ? 0.15 : 0;
  weather.expiries = dice.chance(0.4) ? (dice.chance(0.3) ? 0.5 : 0.1) : 0;
  weather.memory = dice.chance(0.5) ? 0.2 : 0;
  weather.limits = dice.chance(0.4) ? 0.1 : 0;
  weather.short_keeps = dice.chance(0.2) ? 0.1 : 0;
  weather.ids_ahead = dice.chance(0.3) ? 0.1 : 0;
  weather.read_fails = rate(0.05);
  weather.malformed = rate(1.0);
  weather.client_leaves = rate(0.15);
  weather.memory_limit = dice.chance(0.3) ? static_cast<std::uint64_t>(dice.between(10'000, 60'000)) : 0;
  weather.finished_limit = dice.chance(0.2) ? static_cast<std::size_t>(dice.between(0, 30)) : 0;
  weather.list_visits = dice.chance(0.7) ? static_cast<std::size_t>(dice.between(1, 40)) : 1000;
  weather.lists = dice.chance(0.5) ? 0.1 : 0;
  weather.bulk_retries = dice.chance(0.15) ? 0.03 : 0;
  weather.drains = dice.chance(0.15) ? 0.02 : 0;
  weather.run_most = dice.chance(0.4) ? 4000 : 300;
  weather.lease_stalls = rate(1.0);
  weather.client_stalls = rate(0.1);
  weather.late_reports = dice.chance(0.6) ? 0.3 : 0;
  return weather;
}

}  // namespace rota::sim

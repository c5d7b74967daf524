#include <atomic>
#include <nlohmann/json.hpp>
#include <thread>

#include "bench/compare/failure.h"
#include "bench/compare/monotonic_clock.h"
#include "bench/compare/plain_client.h"
#include "bench/compare/server_usage.h"
#include "bench/compare/workload.h"

namespace rota::compare {

namespace {

std::unique_ptr<PlainClient> make_plain(const Load& load) {
  if (load.peer == "rota") return make_plain_rota(false);
  if (load.peer == "rota-gathered") return make_plain_rota(true);
  if (load.peer == "redis-list") return make_plain_hiredis();
  if (load.peer == "gearmand-background") return make_plain_libgearman(false);
  if (load.peer == "gearmand-foreground") return make_plain_libgearman(true);
  if (load.peer == "nats") return make_plain_libnats(load);
  if (load.peer == "rabbitmq") return make_plain_librabbitmq(load);
  if (load.peer == "beanstalkd") return make_plain_beanstalkd();
  fail("no plain client for '" + load.peer + "'");
}

}  // namespace

std::string run_plain(const Load& load, const Server& server) {
  const std::unique_ptr<PlainClient> client = make_plain(load);
  Progress progress(load, server.syncs);
  std::atomic<bool> is_ready{false};
  std::thread serving([&] {
    client->serve_all(load, [&is_ready] {
      is_ready.store(true);
      is_ready.notify_all();
    });
  });
  is_ready.wait(false);
  const ServerUsage before = read_usage(server.processes);
  const std::int64_t start = now_ns();
  client->submit_all(load, progress);
  const double submitted = static_cast<double>(now_ns() - start) / 1e9;
  serving.join();
  const double seconds = static_cast<double>(now_ns() - start) / 1e9;
  const ServerUsage after = read_usage(server.processes);
  const auto jobs = static_cast<double>(load.jobs);
  nlohmann::ordered_json figures;
  figures["seconds"] = seconds;
  figures["jobs_per_second"] = jobs / seconds;
  figures["submits_per_second"] = jobs / submitted;
  figures["cpu_s_per_million"] = (after.cpu_seconds - before.cpu_seconds) / jobs * 1e6;
  if (progress.is_watched()) figures["unsynced_acknowledgements"] = progress.unsynced();
  figures["jobs"] = load.jobs;
  return figures.dump();
}

}  // namespace rota::compare

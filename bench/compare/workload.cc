#include "bench/compare/workload.h"

#include <sys/timerfd.h>
#include <unistd.h>

#include <algorithm>
#include <barrier>
#include <functional>
#include <nlohmann/json.hpp>
#include <thread>

#include "bench/compare/crew.h"
#include "bench/compare/failure.h"
#include "bench/compare/monotonic_clock.h"
#include "bench/compare/server_usage.h"
#include "bench/compare/submission.h"

namespace rota::compare {

namespace {

using Json = nlohmann::ordered_json;

constexpr auto kSettle = std::chrono::milliseconds{300};  // a server's allocator and store come to rest

double seconds_since(std::int64_t start_ns) { return static_cast<double>(now_ns() - start_ns) / 1e9; }

void add_usage(Json& figures, const char* prefix, const ServerUsage& before, const ServerUsage& after, std::uint64_t jobs) {
  const auto count = static_cast<double>(jobs);
  const std::string name(prefix);
  figures[name + "cpu_s_per_million"] = (after.cpu_seconds - before.cpu_seconds) / count * 1e6;
  figures[name + "written_bytes_per_job"] = static_cast<double>(after.written_bytes - before.written_bytes) / count;
}

void add_syncs(Json& figures, const Progress& progress, const Server& server, std::uint64_t before) {
  if (!progress.is_watched()) return;
  figures["syncs"] = server.syncs->syncs.load() - before;
  figures["unsynced_acknowledgements"] = progress.unsynced();
}

// p50, p99 and p99.9 of how long after its submit something happened to each job; nothing where it never did.
void add_percentiles(Json& figures, const std::string& name, const Progress& progress,
                     const std::vector<std::int64_t>& times) {
  std::vector<double> took;
  took.reserve(times.size());
  for (std::size_t job = 0; job < times.size(); ++job) {
    if (times[job] == 0) return;
    took.push_back(static_cast<double>(times[job] - progress.submitted_at()[job]) / 1e3);
  }
  if (took.empty()) return;
  std::sort(took.begin(), took.end());
  const auto at = [&took](double share) {
    return took[std::min(took.size() - 1, static_cast<std::size_t>(share * static_cast<double>(took.size())))];
  };
  figures[name] = {{"p50_us", at(0.5)}, {"p99_us", at(0.99)}, {"p999_us", at(0.999)}};
}

// A timer that is closed with the object.
class Timer {
 public:
  Timer() : fd_(::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK)) {
    if (fd_ < 0) fail_errno("timerfd");
  }
  ~Timer() { ::close(fd_); }
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;
  [[nodiscard]] int fd() const { return fd_; }

 private:
  int fd_;
};

using Producers = std::vector<std::unique_ptr<Producer>>;

// All producers at once, each with its share, until their shares are done. `begin` is called when all are connected. The
// producers are given back still connected: saying goodbye is no part of the work.
Producers submit_all(Peer& peer, Progress& progress, const Load& load, bool told, bool windowed,
                     const std::function<void()>& begin) {
  Producers producers(load.clients);
  std::barrier ready(static_cast<std::ptrdiff_t>(load.clients), [&begin]() noexcept { begin(); });
  const auto submit = [&](std::uint64_t i) {
    producers[i] = peer.producer(progress, told, windowed && !told ? progress.wake_fd() : -1);
    ready.arrive_and_wait();
    const Share share{load.jobs * i / load.clients, load.jobs * (i + 1) / load.clients};
    submit_share(*producers[i], progress, load, share, told, windowed);
  };
  if (load.clients == 1) {
    submit(0);
    return producers;
  }
  std::vector<std::thread> threads;
  for (std::uint64_t i = 0; i < load.clients; ++i) threads.emplace_back(submit, i);
  for (std::thread& thread : threads) thread.join();
  return producers;
}

Json lifecycle(Peer& peer, const Load& load, const Server& server) {
  Progress progress(load, server.syncs);
  // Several producers are each bounded by what is not acknowledged: which of them a completion belongs to is not known.
  const bool windowed = load.clients == 1;
  const bool told = windowed && peer.tells_the_end();
  Crew crew(peer, progress, load.workers);
  crew.start(true);
  const std::uint64_t syncs = server.syncs != nullptr ? server.syncs->syncs.load() : 0;
  ServerUsage before;
  std::int64_t start = 0;
  const Producers producers = submit_all(peer, progress, load, told, windowed, [&] {
    before = read_usage(server.processes);
    start = now_ns();
  });
  if (!told) progress.wait_completed(load.jobs);
  const double seconds = seconds_since(start);
  const ServerUsage after = read_usage(server.processes);
  crew.stop();
  Json figures;
  figures["seconds"] = seconds;
  figures["jobs_per_second"] = static_cast<double>(load.jobs) / seconds;
  add_usage(figures, "", before, after, load.jobs);
  add_syncs(figures, progress, server, syncs);
  return figures;
}

Json backlog(Peer& peer, const Load& load, const Server& server) {
  Progress progress(load, server.syncs);
  const std::uint64_t syncs = server.syncs != nullptr ? server.syncs->syncs.load() : 0;
  ServerUsage before;
  std::int64_t start = 0;
  const Producers producers = submit_all(peer, progress, load, false, false, [&] {
    before = read_usage(server.processes);
    start = now_ns();
  });
  const double fill = seconds_since(start);
  const ServerUsage filled = read_usage(server.processes);
  Json figures;
  figures["fill_per_second"] = static_cast<double>(load.jobs) / fill;
  add_usage(figures, "fill_", before, filled, load.jobs);
  add_syncs(figures, progress, server, syncs);
  std::this_thread::sleep_for(kSettle);
  const ServerUsage settled = read_usage(server.processes);
  figures["memory_bytes_per_job"] =
      (static_cast<double>(settled.anonymous_bytes) - static_cast<double>(before.anonymous_bytes)) /
      static_cast<double>(load.jobs);
  Crew crew(peer, progress, load.workers);
  start = now_ns();
  crew.start(false);
  progress.wait_completed(load.jobs);
  const double drain = seconds_since(start);
  const ServerUsage after = read_usage(server.processes);
  crew.stop();
  figures["drain_per_second"] = static_cast<double>(load.jobs) / drain;
  add_usage(figures, "drain_", settled, after, load.jobs);
  return figures;
}

Json latency(Peer& peer, const Load& load, const Server& server) {
  Progress progress(load, server.syncs);
  const bool told = peer.tells_the_end();
  Crew crew(peer, progress, load.workers);
  crew.start(true);
  const Timer timer;
  const std::unique_ptr<Producer> producer = peer.producer(progress, told,
                                                           load.rate > 0 ? timer.fd()
                                                           : told        ? -1
                                                                         : progress.wake_fd());
  const std::uint64_t syncs = server.syncs != nullptr ? server.syncs->syncs.load() : 0;
  const ServerUsage before = read_usage(server.processes);
  const std::int64_t start = now_ns();
  if (load.rate > 0) {
    submit_by_schedule(*producer, load, told, timer.fd());
  } else {
    Load one = load;
    one.batch = one.window = 1;
    submit_share(*producer, progress, one, {0, load.jobs}, told, true);
  }
  if (!told) progress.wait_completed(load.jobs);
  const double seconds = seconds_since(start);
  const ServerUsage after = read_usage(server.processes);
  crew.stop();
  Json figures;
  figures["seconds"] = seconds;
  figures["jobs_per_second"] = static_cast<double>(load.jobs) / seconds;
  add_usage(figures, "", before, after, load.jobs);
  add_syncs(figures, progress, server, syncs);
  add_percentiles(figures, "acknowledged", progress, progress.times().acknowledged);
  add_percentiles(figures, "worker_has_it", progress, progress.times().had);
  add_percentiles(figures, "completed", progress, progress.times().completed);
  add_percentiles(figures, "known", progress, progress.times().known);
  return figures;
}

}  // namespace

std::string run_workload(const Load& load, const Server& server) {
  const std::unique_ptr<Peer> peer = make_peer(load);
  if (peer == nullptr) fail("no peer '" + load.peer + "'; there are " + std::string(peer_names()));
  Json figures = load.workload == "lifecycle" ? lifecycle(*peer, load, server)
                 : load.workload == "backlog" ? backlog(*peer, load, server)
                                              : latency(*peer, load, server);
  figures["jobs"] = load.jobs;
  return figures.dump();
}

}  // namespace rota::compare

#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "broker/server/metrics.h"
#include "common/base/code.h"

// The names are an interface: docs/metrics.md lists them, dashboards and alerts use them.
namespace rota::server {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;
using Labels = std::vector<ClientMetric::Label>;

// No queue can have this name.
constexpr const char* kOthers = "(others)";

// Gathers families; a metric is a name, a help text and values with labels.
class Families {
 public:
  // The reference is good until the next call.
  MetricFamily& add(const char* name, const char* help, MetricType type) {
    MetricFamily& family = families_.emplace_back();
    family.name = name;
    family.help = help;
    family.type = type;
    return family;
  }
  static void put(MetricFamily& family, double value, Labels labels = {}) {
    ClientMetric& metric = family.metric.emplace_back();
    metric.label = std::move(labels);
    if (family.type == MetricType::Counter) {
      metric.counter.value = value;
    } else {
      metric.gauge.value = value;
    }
  }
  void counter(const char* name, const char* help, std::uint64_t value) {
    put(add(name, help, MetricType::Counter), static_cast<double>(value));
  }
  void gauge(const char* name, const char* help, double value) { put(add(name, help, MetricType::Gauge), value); }
  void gauge(const char* name, const char* help, std::uint64_t value) { gauge(name, help, static_cast<double>(value)); }
  // `per_unit`: counted units in one of what is shown (1000 for milliseconds shown as seconds).
  template <const auto& kBounds>
  void histogram(const char* name, const char* help, const Histogram<kBounds>& from, double per_unit) {
    ClientMetric::Histogram& to = add(name, help, MetricType::Histogram).metric.emplace_back().histogram;
    std::uint64_t seen = 0;
    for (std::size_t i = 0; i < from.counts().size(); ++i) {
      seen += from.counts()[i];
      const double bound =
          i < kBounds.size() ? static_cast<double>(kBounds[i]) / per_unit : std::numeric_limits<double>::infinity();
      to.bucket.push_back({seen, bound});
    }
    to.sample_count = seen;
    to.sample_sum = static_cast<double>(from.sum()) / per_unit;
  }
  [[nodiscard]] std::string text() const { return prometheus::TextSerializer().Serialize(families_); }

 private:
  std::vector<MetricFamily> families_;
};

// Calls `visit(name, queue)` for every queue that has series of its own, then for the rest together.
template <typename Visit>
void each_queue(const MetricsSnapshot& snapshot, Visit visit) {
  for (const MetricsSnapshot::Queue& queue : snapshot.queues) visit(queue.name, queue);
  if (snapshot.queues_left_out > 0) visit(kOthers, snapshot.others);
}

void put_states(MetricFamily& family, const MetricsSnapshot& snapshot, bool finals) {
  each_queue(snapshot, [&](const std::string& name, const MetricsSnapshot::Queue& queue) {
    for (std::uint8_t number = 0; number < kJobStateCount; ++number) {
      const auto state = static_cast<JobState>(number);
      if (is_final(state) != finals || state == JobState::blocked) continue;
      Families::put(family, static_cast<double>(queue.by_state[number]),
                    {{"queue", name}, {"state", std::string(job_state_name(state))}});
    }
  });
}

void add_queues(Families& families, const MetricsSnapshot& snapshot) {
  put_states(families.add("rota_jobs", "Unfinished jobs now, by queue and state", MetricType::Gauge), snapshot, false);
  put_states(families.add("rota_jobs_finished_total", "Jobs that ended, by queue and final state", MetricType::Counter),
             snapshot, true);
  MetricFamily& accepted = families.add("rota_jobs_accepted_total", "Jobs accepted, by queue", MetricType::Counter);
  each_queue(snapshot, [&](const std::string& name, const MetricsSnapshot::Queue& queue) {
    Families::put(accepted, static_cast<double>(queue.accepted), {{"queue", name}});
  });
  MetricFamily& dispatched =
      families.add("rota_dispatches_total", "Jobs given to workers, by queue; again for each run", MetricType::Counter);
  each_queue(snapshot, [&](const std::string& name, const MetricsSnapshot::Queue& queue) {
    Families::put(dispatched, static_cast<double>(queue.dispatched), {{"queue", name}});
  });
  MetricFamily& oldest = families.add(
      "rota_oldest_ready_seconds", "Age, since its submit, of the oldest job that is next to be given out; 0 without any",
      MetricType::Gauge);
  each_queue(snapshot, [&](const std::string& name, const MetricsSnapshot::Queue& queue) {
    Families::put(oldest, queue.oldest_ready_s, {{"queue", name}});
  });
  MetricFamily& paused = families.add("rota_queue_paused", "1 while the queue is paused", MetricType::Gauge);
  for (const MetricsSnapshot::Queue& queue : snapshot.queues) {
    Families::put(paused, queue.paused ? 1 : 0, {{"queue", queue.name}});
  }
  MetricFamily& workers =
      families.add("rota_queue_workers", "Worker sessions that serve the queue, whatever types of it", MetricType::Gauge);
  for (const MetricsSnapshot::Queue& queue : snapshot.queues) {
    Families::put(workers, queue.workers, {{"queue", queue.name}});
  }
  families.gauge("rota_queues", "Queues that the broker knows", snapshot.queues.size() + snapshot.queues_left_out);
  families.gauge("rota_queues_left_out", "Queues without series of their own: together they are queue=\"(others)\"",
                 snapshot.queues_left_out);
}

void add_core(Families& families, const MetricsSnapshot& snapshot) {
  const queue::Counters& core = snapshot.core;
  families.gauge("rota_live_jobs", "Jobs that have not finished", snapshot.live_jobs);
  families.counter("rota_jobs_duplicate_total", "Submits answered as already accepted", core.duplicates);
  families.counter("rota_completions_total", "Ends of runs that were accepted from workers", core.completed);
  families.counter("rota_retries_total", "Failed runs whose job is run again", core.retried);
  families.counter("rota_losses_total", "Runs whose worker was lost", core.lost);
  families.counter("rota_stale_tokens_total", "Completions, and runs named in a HELLO, refused as stale", core.stale);
  families.counter("rota_gone_tokens_total", "Completions of jobs not known any more", core.gone);
  families.counter("rota_reclaimed_total", "Jobs asked back from workers before they were started", core.reclaimed);
  families.counter("rota_released_total", "Jobs given back unstarted by workers", core.released);
  families.histogram("rota_queue_wait_seconds",
                     "From acceptance to the first dispatch, of jobs submitted without a delay; retries do not count",
                     core.queue_wait, 1e3);
  families.histogram("rota_run_seconds", "Run time of attempts that ended, from the worker's start of it to its report",
                     core.run_time, 1e3);
}

void add_traffic(Families& families, const MetricsSnapshot& snapshot) {
  const ServerCounters& server = snapshot.server;
  MetricFamily& refusals =
      families.add("rota_refusals_total", "Requests, and single items of them, refused, by code", MetricType::Counter);
  for (std::uint8_t number = 0; number < kCodeCount; ++number) {
    const auto code = static_cast<Code>(number);
    if (code == Code::ok || code == Code::duplicate) continue;
    Families::put(refusals, static_cast<double>(server.refusals[number]), {{"code", std::string(code_name(code))}});
  }
  MetricFamily& sessions = families.add("rota_sessions", "Connected clients, and sessions of workers", MetricType::Gauge);
  Families::put(sessions, static_cast<double>(snapshot.clients), {{"side", "clients"}});
  Families::put(sessions, static_cast<double>(snapshot.workers), {{"side", "workers"}});
  families.gauge("rota_waits", "Jobs whose end a client waits for", snapshot.waits);
  families.counter("rota_refused_peers_total", "Messages of peers beyond the number that may connect",
                   server.refused_peers);
  families.counter("rota_bad_messages_total", "Messages that are not of this protocol", server.bad_messages);
  families.counter("rota_messages_received_total", "Messages received", server.frames_in);
  families.counter("rota_messages_sent_total", "Messages sent", snapshot.sent.frames);
  families.counter("rota_sent_bytes_total", "Bytes of messages sent", snapshot.sent.bytes);
  families.counter("rota_outbox_overflows_total", "Peers disconnected because they did not read", snapshot.sent.overflows);
}

void add_store(Families& families, const MetricsSnapshot& snapshot) {
  const ServerCounters& server = snapshot.server;
  const store::Usage& store = snapshot.store;
  families.histogram("rota_commit_seconds", "Time from handing a batch to the store until it is synced", server.commit_time,
                     1e6);
  families.histogram("rota_jobs_per_commit", "Jobs accepted in one commit", server.commit_jobs, 1);
  families.counter("rota_store_written_bytes_total", "Bytes handed to the store", server.store_bytes_written);
  families.counter("rota_store_reads_total", "Looks into the store", server.store_reads);
  families.counter("rota_store_swept_total", "Finished jobs filed under their ids", server.swept);
  families.counter("rota_store_forgotten_total", "Finished jobs forgotten because their keep was over", server.forgotten);
  families.counter("rota_jobs_purged_total", "Jobs that a purge forgot, queued and finished ones", server.purged);
  families.counter("rota_store_forgotten_early_total", "Finished jobs forgotten before their keep was over, for space",
                   server.forgotten_early);
  families.gauge("rota_store_file_bytes", "Size of the store's file", store.file_bytes);
  families.gauge("rota_store_used_bytes", "In use of that", store.used_bytes);
  families.gauge("rota_store_limit_bytes", "Size that the store may grow to", store.limit_bytes);
  families.gauge("rota_store_reserve_bytes", "Kept free to finish what is queued", store.reserve_bytes);
  families.gauge("rota_store_free_bytes", "Room for new jobs: what limit and disk leave beside the reserve",
                 store.free_bytes);
  families.gauge("rota_store_disk_free_bytes", "Free on the store's file system; 0 with --store memory",
                 store.disk_free_bytes);
  families.gauge("rota_accepts_submits", "0 while the store is full", std::uint64_t{store.accepts_submits || store.grows});
  families.gauge("rota_finished_jobs", "Finished jobs that are kept", store.finished_jobs);
  families.gauge("rota_finished_bytes", "Bytes of finished jobs that are kept, about", store.finished_bytes);
}

void add_memory(Families& families, const MetricsSnapshot& snapshot) {
  families.gauge("rota_index_bytes", "Memory of the index of jobs", snapshot.index_bytes);
  families.gauge("rota_memory_jobs_bytes", "Memory of jobs of durability memory and of their outcomes",
                 snapshot.memory_jobs.used_bytes);
  families.gauge("rota_memory_jobs_limit_bytes", "What these may take", snapshot.memory_jobs.limit_bytes);
  families.gauge("rota_uncommitted_bytes", "Staged and not yet synced", snapshot.uncommitted_bytes);
  families.gauge("rota_held_bytes", "Messages that wait for a commit", snapshot.held_bytes);
  families.gauge("rota_parked_bytes", "Requests that wait for a look into the store", snapshot.parked_bytes);
  families.gauge("rota_outbox_bytes", "Messages that wait for peers which do not read", snapshot.sent.waiting_bytes);
}

void add_process(Families& families, const MetricsSnapshot& snapshot, const ProcessFigures& process) {
  MetricFamily& build = families.add("rota_build_info", "1; the label tells the broker's version", MetricType::Gauge);
  Families::put(build, 1, {{"version", snapshot.version}});
  families.gauge("rota_epoch", "How often this store was opened", snapshot.epoch);
  Families::put(families.add("process_cpu_seconds_total", "CPU time, user and system", MetricType::Counter),
                process.cpu_seconds);
  families.gauge("process_start_time_seconds", "When the process started, in Unix time", process.start_time);
  families.gauge("process_resident_memory_bytes", "Resident memory, the store's mapped pages among it",
                 process.resident_bytes);
  families.gauge("process_virtual_memory_bytes", "Address space; the store reserves a terabyte of it",
                 process.virtual_bytes);
  families.gauge("process_open_fds", "Open file descriptors", process.open_files);
  families.gauge("process_max_fds", "How many may be open", process.max_files);
}

}  // namespace

std::string to_prometheus(const MetricsSnapshot& snapshot, const ProcessFigures& process) {
  Families families;
  add_queues(families, snapshot);
  add_core(families, snapshot);
  add_traffic(families, snapshot);
  add_store(families, snapshot);
  add_memory(families, snapshot);
  add_process(families, snapshot, process);
  return families.text();
}

}  // namespace rota::server

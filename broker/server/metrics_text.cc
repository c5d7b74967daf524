#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

#include <string>
#include <utility>
#include <vector>

#include "broker/server/metrics.h"
#include "common/base/code.h"

namespace rota::server {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;

// Gathers families; a metric is a name, a help text and values with labels.
class Families {
 public:
  MetricFamily& add(const char* name, const char* help, MetricType type) {
    MetricFamily& family = families_.emplace_back();
    family.name = name;
    family.help = help;
    family.type = type;
    return family;
  }
  static void put(MetricFamily& family, double value, std::vector<ClientMetric::Label> labels = {}) {
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
  void gauge(const char* name, const char* help, std::uint64_t value) {
    put(add(name, help, MetricType::Gauge), static_cast<double>(value));
  }
  [[nodiscard]] std::string text() const { return prometheus::TextSerializer().Serialize(families_); }

 private:
  std::vector<MetricFamily> families_;
};

void add_queues(Families& families, const MetricsSnapshot& snapshot) {
  // Families are filled one after the other: adding one moves the others.
  MetricFamily& live = families.add("rota_jobs", "Jobs now, by queue and state", MetricType::Gauge);
  for (const MetricsSnapshot::Queue& queue : snapshot.queues) {
    for (std::uint8_t number = 0; number < kJobStateCount; ++number) {
      const auto state = static_cast<JobState>(number);
      if (is_final(state) || state == JobState::blocked) continue;
      Families::put(live, static_cast<double>(queue.by_state[number]),
                    {{"queue", queue.name}, {"state", std::string(job_state_name(state))}});
    }
  }
  MetricFamily& ended = families.add("rota_jobs_finished_total", "Jobs finished since start", MetricType::Counter);
  for (const MetricsSnapshot::Queue& queue : snapshot.queues) {
    for (std::uint8_t number = 0; number < kJobStateCount; ++number) {
      const auto state = static_cast<JobState>(number);
      if (!is_final(state)) continue;
      Families::put(ended, static_cast<double>(queue.by_state[number]),
                    {{"queue", queue.name}, {"state", std::string(job_state_name(state))}});
    }
  }
  MetricFamily& oldest =
      families.add("rota_oldest_ready_seconds", "Age of the job that has been ready longest", MetricType::Gauge);
  for (const MetricsSnapshot::Queue& queue : snapshot.queues) {
    Families::put(oldest, queue.oldest_ready_s, {{"queue", queue.name}});
  }
  MetricFamily& paused = families.add("rota_queue_paused", "1 while the queue is paused", MetricType::Gauge);
  for (const MetricsSnapshot::Queue& queue : snapshot.queues) {
    Families::put(paused, queue.paused ? 1 : 0, {{"queue", queue.name}});
  }
  families.gauge("rota_queues_left_out", "Queues without metrics of their own: too many", snapshot.queues_left_out);
}

void add_core(Families& families, const MetricsSnapshot& snapshot) {
  const queue::Counters& core = snapshot.core;
  families.gauge("rota_live_jobs", "Jobs that are not final", snapshot.live_jobs);
  families.counter("rota_jobs_accepted_total", "Jobs accepted", core.accepted);
  families.counter("rota_jobs_duplicate_total", "Submits answered as already accepted", core.duplicates);
  families.counter("rota_dispatches_total", "Jobs given to workers", core.dispatched);
  families.counter("rota_completions_total", "Completions accepted", core.completed);
  families.counter("rota_retries_total", "Failed attempts that are run again", core.retried);
  families.counter("rota_losses_total", "Runs whose worker was lost", core.lost);
  families.counter("rota_stale_tokens_total", "Completions, and runs named in a HELLO, refused as stale", core.stale);
  families.counter("rota_gone_tokens_total", "Completions of jobs not known any more", core.gone);
  families.counter("rota_released_total", "Jobs given back unstarted", core.released);
  families.counter("rota_reclaimed_total", "Jobs asked back", core.reclaimed);
  families.counter("rota_expired_total", "Jobs not started in time", core.expired);
  families.counter("rota_cancelled_total", "Jobs cancelled", core.cancelled);
}

void add_server(Families& families, const MetricsSnapshot& snapshot) {
  const ServerCounters& server = snapshot.server;
  MetricFamily& refusals = families.add("rota_refusals_total", "Requests and items refused, by code", MetricType::Counter);
  for (std::uint8_t number = 2; number < kCodeCount; ++number) {
    Families::put(refusals, static_cast<double>(server.refusals[number]),
                  {{"code", std::string(code_name(static_cast<Code>(number)))}});
  }
  families.counter("rota_frames_in_total", "Messages received", server.frames_in);
  families.counter("rota_frames_out_total", "Messages sent", server.frames_out);
  families.counter("rota_bytes_out_total", "Bytes of messages sent", server.bytes_out);
  families.counter("rota_bad_messages_total", "Messages that are not of this protocol", server.bad_messages);
  families.counter("rota_refused_peers_total", "Connections refused: too many", server.refused_peers);
  families.counter("rota_commits_total", "Batches synced to disk", server.commits);
  families.counter("rota_committed_jobs_total", "Jobs accepted in those batches", server.committed_jobs);
  MetricFamily& seconds = families.add("rota_commit_seconds_total", "Time spent in commits", MetricType::Counter);
  Families::put(seconds, static_cast<double>(server.commit_us) / 1e6);
  families.counter("rota_store_bytes_written_total", "Bytes handed to the store", server.store_bytes_written);
  families.counter("rota_store_reads_total", "Looks into the store", server.store_reads);
  families.counter("rota_store_swept_total", "Finished jobs filed", server.swept);
  families.counter("rota_store_forgotten_total", "Finished jobs forgotten", server.forgotten);
  families.counter("rota_store_forgotten_early_total", "Finished jobs forgotten before their keep was over",
                   server.forgotten_early);
  families.gauge("rota_clients", "Client connections", snapshot.clients);
  families.gauge("rota_workers", "Worker sessions", snapshot.workers);
  families.gauge("rota_waits", "Jobs that clients wait for", snapshot.waits);
  families.gauge("rota_outbox_bytes", "Bytes waiting for slow peers", snapshot.outbox_bytes);
  families.counter("rota_outbox_overflows_total", "Peers dropped because they did not read", snapshot.outbox_overflows);
  families.gauge("rota_uncommitted_bytes", "Staged and not yet synced", snapshot.uncommitted_bytes);
  families.gauge("rota_held_bytes", "Messages that wait for a commit", snapshot.held_bytes);
  families.gauge("rota_parked_bytes", "Requests that wait for a look into the store", snapshot.parked_bytes);
  families.gauge("rota_store_file_bytes", "Store size on disk", snapshot.store.file_bytes);
  families.gauge("rota_store_used_bytes", "In use of that", snapshot.store.used_bytes);
  families.gauge("rota_finished_jobs", "Finished jobs kept", snapshot.store.finished_jobs);
  families.gauge("rota_finished_bytes", "Bytes of finished jobs kept, about", snapshot.store.finished_bytes);
  families.gauge("rota_accepts_submits", "0 while the store is full", snapshot.store.accepts_submits ? 1 : 0);
}

}  // namespace

std::string to_prometheus(const MetricsSnapshot& snapshot) {
  Families families;
  add_queues(families, snapshot);
  add_core(families, snapshot);
  add_server(families, snapshot);
  return families.text();
}

}  // namespace rota::server

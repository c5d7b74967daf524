#include "client/watch_list.h"

#include <algorithm>

namespace rota::client {

namespace {

FinishedJob view_of(const wire::NotifyItem& item) {
  FinishedJob job;
  job.id = item.id;
  job.code = item.code;
  job.state = item.state;
  job.attempts = item.attempts;
  job.losses = item.losses;
  job.worker = item.report.worker;
  job.exit_code = item.report.exit_code;
  job.signal = item.report.signal;
  job.error_code = item.report.error_code;
  job.error_message = item.report.error_message;
  job.result = item.report.result;
  job.result_size = item.result_size;
  job.stderr_tail = item.report.stderr_tail;
  job.message = item.message;
  return job;
}

}  // namespace

void WatchList::expect(std::span<const JobId> ids, const FinalSink* sink) {
  for (const JobId& id : ids) watched_.try_emplace(id, Watched{sink, false});
  refresh();
}

void WatchList::ask(std::span<const JobId> ids, bool with_result, const FinalSink* sink) {
  std::vector<JobId> fresh;
  fresh.reserve(ids.size());
  for (const JobId& id : ids) {
    const auto [at, inserted] = watched_.try_emplace(id, Watched{sink, with_result});
    at->second.sink = sink;
    if (inserted || at->second.with_result != with_result) fresh.push_back(id);
    at->second.with_result = with_result;
  }
  refresh();
  send_waits(fresh, with_result);
}

void WatchList::forget(const JobId& id) {
  watched_.erase(id);
  refresh();
}

void WatchList::forget_all(const FinalSink* sink) {
  absl::erase_if(watched_, [sink](const auto& entry) { return entry.second.sink == sink; });
  refresh();
}

const FinalSink* WatchList::sink_of(const JobId& id) const {
  const auto found = watched_.find(id);
  return found == watched_.end() ? nullptr : found->second.sink;
}

void WatchList::on_notify(const wire::Notify& notify) {
  for (const wire::NotifyItem& item : notify.items) {
    const auto found = watched_.find(item.id);
    if (found == watched_.end()) continue;  // told before, or no longer awaited
    const FinalSink* sink = found->second.sink;
    watched_.erase(found);
    if (sink != nullptr && *sink) (*sink)(view_of(item));
  }
  refresh();
}

void WatchList::resume(const IdSet& submitting) {
  std::vector<JobId> plain;
  std::vector<JobId> with_result;
  for (const auto& [id, watched] : watched_) {
    if (!submitting.contains(id)) (watched.with_result ? with_result : plain).push_back(id);
  }
  send_waits(plain, false);
  send_waits(with_result, true);
}

void WatchList::send_waits(std::span<const JobId> ids, bool with_result) {
  const std::size_t batch = connection_.facts().max_batch;
  while (!ids.empty()) {
    const std::size_t count = std::min(batch, ids.size());
    wire::Wait wait;
    wait.with_result = with_result;
    wait.ids.assign(ids.begin(), ids.begin() + static_cast<std::ptrdiff_t>(count));
    wire::Message message;
    message.body = std::move(wait);
    connection_.tell(message);  // without a session resume() asks
    ids = ids.subspan(count);
  }
}

}  // namespace rota::client

#include "client/watch_list.h"

#include <algorithm>
#include <utility>

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
  for (const JobId& id : ids) watched_.try_emplace(id, Watched{sink, true, nullptr});
  refresh();
}

void WatchList::ask(std::span<const JobId> ids, bool with_result, const FinalSink* sink) {
  std::vector<JobId> fresh;
  fresh.reserve(ids.size());
  for (const JobId& id : ids) {
    const auto [at, inserted] = watched_.try_emplace(id, Watched{sink, with_result, nullptr});
    Watched& watched = at->second;
    watched.sink = sink;
    const bool is_told = !inserted && (watched.with_result || !with_result);
    watched.with_result = watched.with_result || with_result;
    if (is_told) continue;
    const auto waiting = waiting_.find(id);
    if (waiting == waiting_.end() || (with_result && !waiting->second.with_result)) fresh.push_back(id);
  }
  refresh();
  send_waits(fresh, with_result);
}

void WatchList::restarted(const JobId& id) {
  waiting_.erase(id);
  if (const auto found = watched_.find(id); found != watched_.end()) found->second.older = nullptr;
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

void WatchList::end(const JobId& id, const FinishedJob& job) {
  const auto found = watched_.find(id);
  if (found == watched_.end()) return;  // told before, or no longer awaited
  const Watched watched = std::move(found->second);
  watched_.erase(found);
  if (watched.sink == nullptr || !*watched.sink) return;
  // Gone by the time of the newest question, say, but how it ended was told before.
  (*watched.sink)(job.code != Code::ok && watched.older != nullptr ? watched.older->job : job);
}

// Kept until the answer to the newest question comes.
void WatchList::set_aside(const wire::NotifyItem& item) {
  const auto found = watched_.find(item.id);
  if (found == watched_.end() || item.code != Code::ok) return;
  auto older = std::make_unique<OlderEnd>();
  older->job = view_of(item);
  FinishedJob& job = older->job;
  for (std::string_view* text : {&job.worker, &job.error_code, &job.error_message, &job.result, &job.stderr_tail}) {
    *text = older->texts.emplace_back(*text);
  }
  job.message = {};
  found->second.older = std::move(older);
}

void WatchList::on_notify(wire::Request request, const wire::Notify& notify) {
  refusals_ = 0;
  for (const wire::NotifyItem& item : notify.items) {
    const auto waiting = waiting_.find(item.id);
    if (waiting != waiting_.end() && waiting->second.request != request) {
      set_aside(item);
      continue;
    }
    if (waiting != waiting_.end()) waiting_.erase(waiting);
    end(item.id, view_of(item));
  }
  if (const auto asked = asked_.find(request); asked != asked_.end()) {
    asked->second.left -= std::min(asked->second.left, notify.items.size());
    if (asked->second.left == 0) asked_.erase(asked);
  }
  refresh();
}

bool WatchList::on_error(wire::Request request, const wire::ErrorReply& error) {
  const auto found = asked_.find(request);
  if (found == asked_.end()) return false;
  if (error.code != Code::moved && is_retryable(error.code)) {
    refused_.push_back(request);
    repeat_at_ = connection_.now() + connection_.refusal_pause(error.retry_after, refusals_++);
    return true;
  }
  const Asked asked = std::move(found->second);
  asked_.erase(found);
  FinishedJob job;
  job.code = error.code;
  job.message = error.message;
  for (const JobId& id : asked.ids) {
    job.id = id;
    waiting_.erase(id);
    end(id, job);
  }
  refresh();
  return true;
}

void WatchList::tick(Steady now) {
  if (refused_.empty() || now < repeat_at_) return;
  for (const wire::Request request : std::exchange(refused_, {})) {
    const auto found = asked_.find(request);
    if (found == asked_.end()) continue;
    Asked asked = std::move(found->second);
    asked_.erase(found);
    drop_unwanted(asked.ids);
    send_waits(asked.ids, asked.with_result);
  }
}

// Those that nobody watches any more need not be asked again.
void WatchList::drop_unwanted(std::vector<JobId>& ids) {
  std::erase_if(ids, [this](const JobId& id) {
    if (watched_.contains(id)) return false;
    waiting_.erase(id);
    return true;
  });
}

void WatchList::resume(const IdSet& submitting) {
  asked_.clear();
  waiting_.clear();
  refused_.clear();
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
    // Without a session resume() asks.
    if (const auto request = connection_.tell(message)) {
      const auto part = ids.first(count);
      for (const JobId& id : part) {
        Waiting& waiting = waiting_[id];
        // One that asks for less, repeated after a refusal, does not take the place of one that asks for more.
        if (with_result || !waiting.with_result) waiting = Waiting{*request, with_result};
      }
      asked_.emplace(*request, Asked{{part.begin(), part.end()}, count, with_result});
    }
    ids = ids.subspan(count);
  }
}

}  // namespace rota::client

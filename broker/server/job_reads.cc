#include <deque>
#include <string>
#include <utility>

#include "broker/server/engine.h"
#include "common/base/peer_limits.h"
#include "common/wire/codec.h"

// WAIT and GET: what clients read of jobs, live ones from the core, finished ones from the store.
namespace rota::server {
namespace {

// Results that one JOBS reply carries in all; behind it `result` is empty and `result_size` says what to ask for alone.
constexpr std::size_t kResultsPerReply = limits::kReaderBytes;

// A job that the core knows changes faster than it can be read, or was never stored, after this many looks: the core's
// answer has to do. One that the core does not know is answered from the store alone.
constexpr std::uint32_t kMostLooks = 4;
constexpr std::uint32_t kMostLooksForNames = 2;  // the name of a live job is not worth more

// What was read of a job, unless the core knows a later end of it.
const queue::FinishedJob* found_end(const Known* known, const JobId& id, const std::optional<queue::JobView>& view) {
  const queue::FinishedJob* job = known != nullptr ? known->find(id) : nullptr;
  return job != nullptr && view && view->sequence != job->outcome.sequence ? nullptr : job;
}

std::string_view name_in(std::string_view spec_bytes, std::deque<std::string>& texts) {
  const Result<wire::Spec> spec = wire::decode_spec(spec_bytes);
  return spec.ok() ? std::string_view(texts.emplace_back(spec.value().name)) : std::string_view();
}

// What only the store has of a live job: its name, and the report of its last attempt.
void add_stored(const store::Batch::Body& stored, std::deque<std::string>& texts, wire::JobInfo& info) {
  info.name = name_in(stored.spec, texts);
  if (stored.report.empty()) return;
  const std::string_view worker = info.report.worker;
  info.report = to_report(texts.emplace_back(stored.report));
  info.result_size = info.report.result.size();
  info.report.result = {};
  if (!worker.empty()) info.report.worker = worker;
}

}  // namespace

// Each job is answered as soon as it can be: what has to be read (again) is parked as a WAIT for the rest.
void Engine::on_wait(Asked& asked, const wire::Wait& wait) {
  if (!waiters_.has_room(asked.route, wait.ids.size())) {
    refuse(asked, Code::retry_later, "too many jobs are waited for; wait for fewer at a time", limits::kRetryLaterHint);
    return;
  }
  wants_.clear();
  wants_.want = ReadTask::Want::wait;
  // Who does not read is not sent results unasked: it may GET them later.
  const bool with_result = wait.with_result && outbox_.unread(asked.side, asked.route) <= limits::kMaxUnread;
  const Waiters::Waiter waiter{asked.route, asked.request, with_result};
  std::size_t told = 0;
  for (const JobId& id : wait.ids) {
    const std::optional<queue::JobView> view = core_.view(id, asked.now);
    if (view && !is_final(view->state)) {
      (void)waiters_.add(id, waiter);  // there is room for all
      continue;
    }
    const bool looked = asked.known != nullptr && asked.known->asked(id);
    const queue::FinishedJob* job = found_end(asked.known, id, view);
    if (job != nullptr && (told > limits::kReaderBytes || asked.known->left_out(id) > 0)) {
      wants_.ids.push_back(id);  // enough for one turn; or it was read for another one's question
    } else if (job != nullptr) {
      told += job->outcome.report.size();
      notices_.add(waiter, job->outcome, Durability::fsync);
    } else if (view && looked && asked.looks >= kMostLooks) {
      // Never stored: what the core still knows is all there is.
      queue::OutcomeRecord outcome;
      outcome.id = id;
      outcome.state = view->state;
      outcome.attempts = view->attempts;
      outcome.losses = view->losses;
      notices_.add(waiter, outcome, Durability::fsync);
    } else if (!view && (looked || !core_.must_look_up(id, asked.now))) {
      ++counters_.refusals[static_cast<std::size_t>(Code::not_found)];
      notices_.add_unknown(waiter, id, kNoSuchJob, Durability::fsync);
    } else {
      wants_.ids.push_back(id);
    }
  }
  if (wants_.ids.empty()) return;
  if (wants_.ids.size() == wait.ids.size()) return park(asked, false);
  wire::Wait rest;
  rest.with_result = wait.with_result;
  rest.ids = wants_.ids;
  std::string bytes;
  encode_simple(asked.request, rest, bytes);
  asked.frame = bytes;
  park(asked, false);
  asked.frame = {};
}

void Engine::on_get(Asked& asked, const wire::Get& get) {
  if (outbox_.unread(asked.side, asked.route) > limits::kMaxUnread) {
    return refuse(asked, Code::retry_later, "too many answers stand unread on this connection; read them, then ask again",
                  limits::kRetryLaterHint);
  }
  if (!must_look_again(asked, get)) return answer_get(asked, get);
  // All of them, also those read for before: one reply tells of all.
  wants_.clear();
  wants_.want = ReadTask::Want::get;
  for (const JobId& id : get.ids) {
    want_final(id, asked.now);
    want_body(id, asked.now);
  }
  park(asked, false);
}

bool Engine::must_look_again(const Asked& asked, const wire::Get& get) {
  for (const JobId& id : get.ids) {
    const std::optional<queue::JobView> view = core_.view(id, asked.now);
    const bool looked = asked.known != nullptr && asked.known->asked(id);
    if (!view) {
      if (!looked && core_.must_look_up(id, asked.now)) return true;
    } else if (is_final(view->state)) {
      if (asked.looks < kMostLooks && found_end(asked.known, id, view) == nullptr) return true;
    } else if (asked.looks < kMostLooksForNames && view->policy.durability != Durability::memory) {
      if (!pipeline_.batch().find(view->sequence) && (asked.known == nullptr || !asked.known->body(view->sequence))) {
        return true;
      }
    }
  }
  return false;
}

void Engine::answer_get(Asked& asked, const wire::Get& get) {
  wire::Jobs jobs;
  std::deque<std::string> texts;  // what the views of the reply point into
  std::size_t results = 0;
  std::size_t tails = 0;
  for (const JobId& id : get.ids) {
    wire::JobInfo info;
    if (!describe(id, asked.known, asked.now, get.with_result, texts, info)) {
      ++counters_.refusals[static_cast<std::size_t>(Code::not_found)];
      jobs.jobs.push_back(no_such_job(id));
      continue;
    }
    if (!jobs.jobs.empty() && results + info.report.result.size() > kResultsPerReply) info.report.result = {};
    results += info.report.result.size();
    if (tails + info.report.stderr_tail.size() > limits::kMaxStderrPerReply) info.report.stderr_tail = {};
    tails += info.report.stderr_tail.size();
    jobs.jobs.push_back(info);
  }
  frame_.clear();
  encode_simple(asked.request, jobs, frame_);
  reply(asked.route, *asked.peer, false);
}

bool Engine::describe(const JobId& id, const Known* known, Now now, bool with_result, std::deque<std::string>& texts,
                      wire::JobInfo& info) {
  const std::optional<queue::JobView> view = core_.view(id, now);
  const queue::FinishedJob* found = found_end(known, id, view);
  if (found != nullptr && (!view || is_final(view->state))) {
    info = to_info(*found, with_result);
    info.result_size += known->left_out(id);
    if (found->job.shared != nullptr) info.name = name_in(found->job.shared->spec, texts);
    return true;
  }
  if (!view) return false;
  info = to_info(*view);
  const auto add = [&](const store::Batch::Body& stored) { add_stored(stored, texts, info); };
  std::optional<store::Batch::Body> body = pipeline_.batch().find(view->sequence);
  if (!body && known != nullptr) body = known->body(view->sequence);
  if (body) add(*body);
  if (view->policy.durability == Durability::memory && !is_final(view->state)) {
    (void)volatile_store_.bodies(std::span(&view->sequence, 1),
                                 [&](std::size_t, const store::Batch::Body& stored) { add(stored); });
  }
  if (const ProgressNotes::Note* note = progress_.find(view->token); note != nullptr && view->state == JobState::running) {
    info.progress = note->fraction;
    info.progress_message = texts.emplace_back(note->message);
  }
  if (view->state == JobState::ready && core_.is_paused(view->queue)) {
    info.waiting_for = texts.emplace_back("queue " + std::string(view->queue) + " is paused");
  } else if (view->state == JobState::ready && !view->served) {
    info.waiting_for =
        texts.emplace_back("no connected worker serves " + std::string(view->type) + " on " + std::string(view->queue));
  }
  return true;
}

}  // namespace rota::server

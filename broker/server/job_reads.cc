#include <deque>
#include <string>
#include <utility>

#include "broker/server/engine.h"
#include "common/base/limits.h"
#include "common/wire/codec.h"

// WAIT and GET: what clients read of jobs, live ones from the core, finished ones from the store.
namespace rota::server {
namespace {

// Results that one JOBS reply carries in all; behind it `result` is empty and `result_size` says what to ask for alone.
constexpr std::size_t kResultsPerReply = limits::kDispatchBytes;

}  // namespace

// Ids whose answer only the store can give, and which it was not asked for yet.
void Engine::want_finals(const Asked& asked, const std::vector<JobId>& ids) {
  for (const JobId& id : ids) {
    const std::optional<queue::JobView> view = core_.view(id, asked.now);
    if (view ? !is_final(view->state) : !core_.must_look_up(id, asked.now)) continue;
    if (asked.known != nullptr && (asked.known->find(id) != nullptr || asked.known->last_round())) continue;
    if (asked.known != nullptr && asked.known->asked(id) && !view) continue;
    wants_.ids.push_back(id);
  }
}

void Engine::on_wait(Asked& asked, const wire::Wait& wait) {
  if (!waiters_.has_room(asked.route, wait.ids.size())) {
    refuse(asked, Code::retry_later, "too many jobs are waited for; wait for fewer at a time", limits::kRetryLaterHint);
    return;
  }
  wants_.clear();
  want_finals(asked, wait.ids);
  if (!wants_.empty()) return park(asked);
  const Waiters::Waiter waiter{asked.route, asked.request, wait.with_result};
  for (const JobId& id : wait.ids) {
    const std::optional<queue::JobView> view = core_.view(id, asked.now);
    if (view && !is_final(view->state)) {
      (void)waiters_.add(id, waiter);  // there is room for all
      continue;
    }
    const queue::FinishedJob* job = asked.known != nullptr ? asked.known->find(id) : nullptr;
    if (job != nullptr) {
      notices_.add(waiter, job->outcome, Durability::fsync);
    } else if (view) {
      // Forgotten at once (keep 0), or never stored: what the core still knows is all there is.
      queue::OutcomeRecord outcome;
      outcome.id = id;
      outcome.state = view->state;
      outcome.attempts = view->attempts;
      outcome.losses = view->losses;
      notices_.add(waiter, outcome, Durability::fsync);
    } else {
      notices_.add_unknown(waiter, id, kNoSuchJob, Durability::fsync);
    }
  }
}

void Engine::on_get(Asked& asked, const wire::Get& get) {
  wants_.clear();
  wants_.with_body = true;
  want_finals(asked, get.ids);
  for (const JobId& id : get.ids) {
    const std::optional<queue::JobView> view = core_.view(id, asked.now);
    if (!view || is_final(view->state) || view->policy.durability == Durability::memory) continue;
    if (asked.known != nullptr && (asked.known->body(view->sequence) || asked.known->last_round())) continue;
    if (pipeline_.batch().find(view->sequence)) continue;
    if (asked.known != nullptr && asked.known->round() > 0) continue;  // its name is not worth more rounds
    wants_.sequences.push_back(view->sequence);
  }
  if (!wants_.empty()) return park(asked);
  answer_get(asked, get);
}

void Engine::answer_get(Asked& asked, const wire::Get& get) {
  wire::Jobs jobs;
  std::deque<std::string> texts;  // what the views of the reply point into
  std::size_t results = 0;
  const auto name_of = [&texts](std::string_view bytes) -> std::string_view {
    const Result<wire::Spec> spec = wire::decode_spec(bytes);
    return spec.ok() ? std::string_view(texts.emplace_back(spec.value().name)) : std::string_view();
  };
  for (const JobId& id : get.ids) {
    const std::optional<queue::JobView> view = core_.view(id, asked.now);
    const queue::FinishedJob* found = asked.known != nullptr ? asked.known->find(id) : nullptr;
    if (found != nullptr && (!view || is_final(view->state))) {
      wire::JobInfo info = to_info(*found, get.with_result);
      if (found->job.shared != nullptr) info.name = name_of(found->job.shared->spec);
      if (!jobs.jobs.empty() && results + info.report.result.size() > kResultsPerReply) info.report.result = {};
      results += info.report.result.size();
      jobs.jobs.push_back(info);
      continue;
    }
    if (!view) {
      jobs.jobs.push_back(no_such_job(id));
      continue;
    }
    wire::JobInfo info = to_info(*view);
    std::optional<store::Batch::Body> body = pipeline_.batch().find(view->sequence);
    if (!body && asked.known != nullptr) body = asked.known->body(view->sequence);
    const auto describe = [&](const store::Batch::Body& stored) {
      info.name = name_of(stored.spec);
      if (stored.report.empty()) return;
      const std::string_view worker = info.report.worker;
      info.report = to_report(texts.emplace_back(stored.report));
      info.result_size = info.report.result.size();
      info.report.result = {};
      if (!worker.empty()) info.report.worker = worker;
    };
    if (body) describe(*body);
    if (view->policy.durability == Durability::memory && !is_final(view->state)) {
      (void)volatile_store_.bodies(std::span(&view->sequence, 1),
                                   [&](std::size_t, const store::Batch::Body& stored) { describe(stored); });
    }
    if (const ProgressNotes::Note* note = progress_.find(view->token);
        note != nullptr && view->state == JobState::running) {
      info.progress = note->fraction;
      info.progress_message = texts.emplace_back(note->message);
    }
    if (view->state == JobState::ready && core_.is_paused(view->queue)) {
      info.waiting_for = texts.emplace_back("queue " + std::string(view->queue) + " is paused");
    } else if (view->state == JobState::ready && !view->served) {
      info.waiting_for =
          texts.emplace_back("no connected worker serves " + std::string(view->type) + " on " + std::string(view->queue));
    }
    jobs.jobs.push_back(info);
  }
  frame_.clear();
  encode_simple(asked.request, jobs, frame_);
  reply(asked.route, *asked.peer, false);
}

}  // namespace rota::server

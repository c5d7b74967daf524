#include <algorithm>

#include "broker/queue/core_state.h"
#include "broker/queue/retry_policy.h"

namespace rota::queue {

void Core::apply(const Complete& command, Now now, Effects& out) {
  State& s = *state_;
  s.start_clock(now);
  Session* session = s.sessions.find(command.session);
  if (session != nullptr) {
    s.contact(*session, now);
    s.note_started(*session, command.started_through, command.credit);
  }
  const FoundJobs found(command.found);
  const auto first = static_cast<std::uint32_t>(out.codes.size());
  bool stored = false;
  static constexpr std::size_t kAhead = 8;
  for (std::size_t i = 0; i < command.items.size(); ++i) {
    if (i + kAhead < command.items.size()) s.jobs.prefetch(command.items[i + kAhead].job.id);
    const CompletionItem& item = command.items[i];
    out.codes.push_back(s.complete_one(item, found, now, stored, out));
  }
  out.messages.push_back(Message{
      !stored, CompleteReply{command.session, command.request, {first, static_cast<std::uint32_t>(command.items.size())}}});
}

Code Core::State::complete_one(const CompletionItem& item, const FoundJobs& found, Now now, bool& stored, Effects& out) {
  const JobIndex job = jobs.find(item.job.id);
  if (job == kNone) {
    stored = true;
    const FinishedJob* finished = found.find(item.job.id);
    if (finished == nullptr) {
      ++counters.gone;
      return Code::gone;
    }
    if (!item.job.token.is_none() && finished->outcome.consumed == item.job.token) return Code::ok;
    ++counters.stale;
    return Code::stale;
  }
  if (!jobs[job].in_memory) stored = true;
  const JobDetail* detail = jobs.detail(job);
  if (detail != nullptr && detail->token_open && detail->token == item.job.token) {
    consume(job, item, now, out);
    return Code::ok;
  }
  if (detail != nullptr && !item.job.token.is_none() && detail->consumed == item.job.token) return Code::ok;
  ++counters.stale;
  return Code::stale;
}

// An attempt ended and its token is open: the worker's report decides.
void Core::State::consume(JobIndex job, const CompletionItem& item, Now now, Effects& out) {
  JobEntry& entry = jobs[job];
  JobDetail& detail = *jobs.detail(job);
  ++counters.completed;
  if (item.end == AttemptEnd::expired && !has_expired(job, now)) {
    // The worker's clock ran ahead: the job did not start and is given back.
    detail.token_open = false;
    detail.consumed = detail.token;
    if (entry.state == JobState::running) requeue(job, false, now, out);
    return;
  }
  const Wall started_at = now.wall - item.started_ago;
  if (item.end != AttemptEnd::expired && item.end != AttemptEnd::lost) {
    counters.run_time.add(at_least_zero(std::min(item.started_ago, now.wall - detail.leased_at)));
  }
  detail.token_open = false;
  detail.consumed = detail.token;
  if (item.end != AttemptEnd::expired && item.end != AttemptEnd::lost && !detail.charged) ++entry.attempts;
  switch (item.end) {
    case AttemptEnd::succeeded:
      return finish(job, {Event::succeed, EndReason::completed, started_at, item.report}, now, out);
    case AttemptEnd::failed:
    case AttemptEnd::timed_out:
      return attempt_failed(job, item, started_at, now, out);
    case AttemptEnd::rejected:
      ++detail.failures;
      if (entry.cancel_requested) break;
      return finish(job, {Event::fail, EndReason::completed, started_at, item.report}, now, out);
    case AttemptEnd::cancelled:
      if (entry.cancel_requested) break;
      // Stopped without being asked by us: the run is lost. Its attempt is counted with the loss.
      if (!detail.charged) --entry.attempts;
      return attempt_lost(job, now, out);
    case AttemptEnd::lost:
      return attempt_lost(job, now, out);
    case AttemptEnd::expired:
      return finish(job, {Event::expire, EndReason::expired, {}, item.report}, now, out);
  }
  finish(job, {Event::cancel, EndReason::cancelled, started_at, item.report}, now, out);
}

void Core::State::attempt_failed(JobIndex job, const CompletionItem& item, Wall started_at, Now now, Effects& out) {
  JobEntry& entry = jobs[job];
  JobDetail& detail = *jobs.detail(job);
  const Policy& policy = policy_of(job);
  ++detail.failures;
  if (entry.cancel_requested) {
    return finish(job, {Event::cancel, EndReason::cancelled, started_at, item.report}, now, out);
  }
  const Millis wait = detail.failures > policy.retries ? Millis{0} : backoff_after(policy, detail.failures, random);
  // A retry that could not start before the job expires is none: what the attempt said is worth more than `expired`.
  if (detail.failures > policy.retries || detail.expires_at <= now.steady + wait) {
    return finish(job, {Event::fail, EndReason::completed, started_at, item.report}, now, out);
  }
  ++counters.retried;
  const Token lease = entry.state == JobState::running ? detail.token : Token{};
  if (wait.count() > 0) {
    move(job, Event::retry, {(now.steady + wait).ms, false, kNoSession});
  } else if (entry.state != JobState::ready) {
    move(job, entry.state == JobState::running ? Event::requeue : Event::due);
  }
  emit_state(job, wait.count() > 0 ? now.wall + wait : Wall{}, item.report, out);
  if (!lease.is_none()) emit(job, LeaseEnded{lease, entry.sequence}, out);
}

void Core::State::attempt_lost(JobIndex job, Now now, Effects& out) {
  // Waiting already: its loss was charged when the lease ended.
  if (jobs[job].state == JobState::running) return requeue(job, true, now, out);
  emit_state(job, run_at_of(job, now), {}, out);
}

void Core::apply(const Released& command, Now now, Effects& out) {
  State& s = *state_;
  s.start_clock(now);
  Session* session = s.sessions.find(command.session);
  if (session == nullptr) return;
  s.contact(*session, now);
  for (const TokenOf& one : command.jobs) {
    const JobIndex job = s.jobs.find(one.id);
    if (job == kNone || s.jobs[job].state != JobState::running) continue;
    JobDetail& detail = *s.jobs.detail(job);
    if (!detail.token_open || detail.token != one.token || detail.session != command.session) continue;
    ++s.counters.released;
    detail.token_open = false;
    s.requeue(job, false, now, out);
  }
}

}  // namespace rota::queue

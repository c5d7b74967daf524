// What happens to a job, together with the changes that record it.
#include "broker/queue/core_state.h"

namespace rota::queue {

void Core::State::emit(JobIndex job, ChangeBody body, Effects& out) {
  out.changes.push_back(Change{jobs[job].durability(), std::move(body)});
}

void Core::State::emit_state(JobIndex job, Wall run_at, std::string_view report, Effects& out) {
  const JobEntry& entry = jobs[job];
  const JobDetail* detail = jobs.detail(job);
  StateRecord state;
  state.sequence = entry.sequence;
  state.attempts = entry.attempts;
  state.failures = detail == nullptr ? 0 : detail->failures;
  state.losses = entry.losses;
  state.cancel_requested = entry.cancel_requested;
  state.expiry_over = never_expires(job);
  state.run_at = run_at;
  state.consumed = detail == nullptr ? Token{} : detail->consumed;
  state.report = report;
  emit(job, JobChanged{state}, out);
}

void Core::State::emit_lease(JobIndex job, Now now, Effects& out) {
  JobDetail& detail = *jobs.detail(job);
  const Session& session = *sessions.find(detail.session);
  detail.leased_at = now.wall;
  emit(job, JobLeased{LeaseRecord{detail.token, jobs[job].sequence, session.uuid, session.slots, now.wall}}, out);
}

bool Core::State::has_expired(JobIndex job, Now now) const {
  const JobDetail* detail = jobs.detail(job);
  return detail != nullptr && detail->expires_at <= now.steady;
}

bool Core::State::never_expires(JobIndex job) const {
  const JobDetail* detail = jobs.detail(job);
  return detail == nullptr || detail->expires_at == kNeverSteady;
}

bool Core::State::is_forgotten(JobIndex job) const { return is_final(jobs[job].state) && jobs[job].forgotten; }

void Core::State::finish(JobIndex job, const Ending& ending, Now now, Effects& out) {
  JobEntry& entry = jobs[job];
  JobDetail& detail = jobs.ensure_detail(job);
  const Policy& policy = policy_of(job);
  const Token lease = entry.state == JobState::running ? detail.token : Token{};
  disarm_expiry(job);
  detail.token_open = false;
  detail.finished_at = now.steady;
  // An id ahead of the clock stays until the clock has passed it too: must_look_up() then knows it from a new one.
  Into into;
  const Millis ahead = time_of(entry.id) - id_clock(now);
  if (ahead.count() > 0) into.due = (now.steady + ahead + options.recent_horizon).ms;
  move(job, ending.event, into);

  OutcomeRecord outcome;
  outcome.sequence = entry.sequence;
  outcome.id = entry.id;
  outcome.state = entry.state;
  outcome.attempts = entry.attempts;
  outcome.failures = detail.failures;
  outcome.losses = entry.losses;
  outcome.consumed = detail.consumed;
  outcome.started_at = ending.started_at;
  outcome.finished_at = now.wall;
  Millis keep = policy.keep;
  if (keep.count() < 0) keep = entry.state == JobState::failed ? limits::kDefaultKeepFailed : limits::kDefaultKeep;
  // As long as a resend of its id would be taken for new: an id may have been made ahead of the clock.
  if (keep.count() > 0) keep = std::max(keep, options.dedup_window + std::max(ahead, Millis{0}));
  // On the id clock, as the refusal of old ids is: a step of the wall clock must not open a gap between the two.
  outcome.forget_at = id_clock(now) + keep;
  outcome.report = ending.report;
  outcome.reason = ending.reason;
  entry.forgotten = keep.count() == 0;
  settle_key(job, now);
  emit(job, JobFinished{outcome, lease}, out);
  if (entry.forgotten) emit(job, JobForgotten{entry.id, entry.sequence, {}}, out);
  if (ending.event == Event::cancel) ++counters.cancelled;
  if (ending.event == Event::expire) ++counters.expired;
}

// The key of a job that ended: free, or held on for key_for.
void Core::State::settle_key(JobIndex job, Now now) {
  const JobDetail& detail = *jobs.detail(job);
  if (detail.key == kNone) return;
  const Millis key_for = policy_of(job).key_for;
  if (key_for.count() <= 0) {
    keys.release(detail.key);
    return;
  }
  KeyTable::Record& key = keys[detail.key];
  key.id = jobs[job].id;
  key.created_at = jobs[job].created_at;
  key.state = jobs[job].state;
  key.durability = jobs[job].durability();
  key.until = now.steady + key_for;
  key_ends.insert(key.until.ms, detail.key);
}

void Core::State::requeue(JobIndex job, bool lost, Now now, Effects& out) {
  JobEntry& entry = jobs[job];
  JobDetail& detail = *jobs.detail(job);
  if (lost && !detail.charged) {
    detail.charged = true;
    ++entry.attempts;
    ++entry.losses;
    ++counters.lost;
  } else {
    lost = false;
  }
  if (entry.cancel_requested) return finish(job, {Event::cancel, EndReason::cancelled, detail.leased_at, {}}, now, out);
  if (entry.losses > policy_of(job).losses) {
    return finish(job, {Event::fail, EndReason::losses_spent, detail.leased_at, {}}, now, out);
  }
  if (has_expired(job, now)) return finish(job, {Event::expire, EndReason::expired, {}, {}}, now, out);
  const Token lease = detail.token;
  move(job, Event::requeue);
  if (lost) emit_state(job, Wall{}, {}, out);
  emit(job, LeaseEnded{lease, entry.sequence}, out);
  jobs.trim_detail(job);
}

Wall Core::State::run_at_of(JobIndex job, Now now) const {
  const JobEntry& entry = jobs[job];
  if (entry.state != JobState::scheduled) return {};
  return entry.wall_due ? Wall{entry.due()} : now.wall + (Steady{entry.due()} - now.steady);
}

ItemReply Core::State::reply_of(JobIndex job, Code code, std::string_view reason, Now now) const {
  const JobEntry& entry = jobs[job];
  return {code, entry.state, entry.durability(), entry.id, entry.created_at, run_at_of(job, now), reason};
}

}  // namespace rota::queue

#include <algorithm>

#include "broker/queue/core_state.h"
#include "broker/queue/retry_policy.h"

namespace rota::queue {
namespace {

// What is left of a wait that is stored by its end, at most the whole of it: the wall clock may have been set back since.
Millis left_of(Wall until, Millis whole, Now now) { return std::min(until - now.wall, whole); }

// How long the stored wait of a job can have been at its begin.
Millis whole_wait(const LiveJob& job) {
  if (job.state == nullptr) return job.job.run_at - job.job.created_at;
  // Without a failure there is nothing to wait after: its run_at says when it was revived.
  const std::uint32_t failures = job.state->failures;
  return failures == 0 ? Millis{0} : longest_backoff(job.job.shared->policy, failures);
}

}  // namespace

void Core::restore_paused(std::string_view queue) {
  const std::uint32_t index = state_->shapes.intern_queue(queue);
  ROTA_CHECK(index != kNone);
  state_->shapes.queue(index).paused = true;
}

void Core::restore(const LiveJob& job, Now now) {
  State& s = *state_;
  s.start_clock(now);
  // What was accepted is held, however many types it has.
  const std::uint32_t shape = s.intern_shape(*job.job.shared, SIZE_MAX);
  ROTA_CHECK(shape != kNone);
  ROTA_CHECK(job.job.sequence < s.next_sequence);
  const Wall run_at = job.state != nullptr ? job.state->run_at : job.job.run_at;
  JobState state = JobState::ready;
  Into into;
  const bool named = job.state == nullptr && job.job.run_at_named;
  const Millis left = named ? run_at - now.wall : left_of(run_at, whole_wait(job), now);
  if (left.count() > 0) {
    state = JobState::scheduled;
    into = named ? Into{run_at.ms, true, kNoSession} : Into{(now.steady + left).ms, false, kNoSession};
  }
  // Losses decide where a ready job waits, so it is ready only once they are known.
  const JobIndex index = s.begin(job.job, shape, job.body_size, JobState::blocked, {});
  s.restore_state(index, job, now);
  if (job.lease != nullptr) {
    state = JobState::running;
    into = {0, false, s.restore_lease(index, *job.lease, now)};
  }
  s.restart_in(index, state, into);
  if (job.lease == nullptr && s.jobs[index].cancel_requested) s.cancelled_at_restore.push_back(index);
  s.jobs.trim_detail(index);
}

void Core::State::restore_state(JobIndex job, const LiveJob& from, Now now) {
  JobEntry& entry = jobs[job];
  if (const StateRecord* state = from.state; state != nullptr) {
    entry.wait_known = true;
    entry.attempts = state->attempts;
    entry.losses = state->losses;
    entry.cancel_requested = state->cancel_requested;
    if (state->failures != 0 || !state->consumed.is_none()) {
      JobDetail& detail = jobs.ensure_detail(job);
      detail.failures = state->failures;
      detail.consumed = state->consumed;
    }
  }
  const Wall expires_at = from.job.expires_at;
  if (expires_at.ms != 0 && (from.state == nullptr || !from.state->expiry_over)) {
    const Millis left = left_of(expires_at, expires_at - from.job.created_at, now);
    arm_expiry(job, Steady{std::max<std::int64_t>((now.steady + left).ms, 0)});
  }
  if (!from.job.key.empty()) {
    const std::uint32_t queue = class_of(job).queue;
    ROTA_CHECK(keys.find(queue, from.job.key) == kNone);
    const std::uint32_t key = keys.add(queue, from.job.key);
    keys[key].job = job;
    keys.hold(key);
    jobs.ensure_detail(job).key = key;
  }
}

// The session that holds the lease: until its worker says HELLO again, a placeholder.
SessionRef Core::State::restore_lease(JobIndex job, const LeaseRecord& lease, Now now) {
  Session* session = sessions.find_uuid(lease.session);
  if (session == nullptr) {
    session = sessions.add(lease.session);
    ROTA_CHECK(session != nullptr);
    // Whether their dispatches left before the restart nobody knows.
    for (std::uint64_t& through : session->left_through) through = UINT64_MAX;
    session->contact_at = now.steady;
    session->lease_until = now.steady + options.reattach;
    session->lease_key = session->lease_until.ms;
    leases.insert(session->lease_key, session->ref & 0xFFFFU);
  }
  session->slots = std::max(1U, lease.slots);
  jobs[job].wait_known = true;
  JobDetail& detail = jobs.ensure_detail(job);
  detail.token = lease.token;
  detail.token_open = true;
  detail.leased_at = lease.leased_at;
  return session->ref;
}

// Moves a job that is being restored from its first, listless state to where it belongs.
void Core::State::restart_in(JobIndex job, JobState state, const Into& into) {
  QueueState& queue = queue_of(job);
  --queue.counts[static_cast<std::size_t>(JobState::blocked)];
  ++queue.counts[static_cast<std::size_t>(state)];
  jobs[job].state = state;
  enter(job, into);
}

}  // namespace rota::queue

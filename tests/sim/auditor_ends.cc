// How jobs end, as somebody was told.
#include <algorithm>

#include "common/base/job_state.h"
#include "tests/sim/auditor.h"

namespace rota::sim {

void Auditor::told_end(Job& job, JobState state, std::string_view why, const Details& details) {
  const std::string text = name(job.ask.id) + " (" + std::string(why) + ")";
  if (job.received_at == 0) return fail(text + " ended, but nobody submitted it");
  // What is told of memory jobs does not wait in line with the rest: after a retry their ends cannot be put in order.
  if (job.retried && job.ask.options.durability == Durability::memory) return;
  if (may_be_gone(job)) job.told.reset();
  if (job.told && *job.told != state) {
    if (job.retries_open == 0 || !job.retried) {
      return fail(text + " ended " + std::string(job_state_name(state)) + ", but was told to have ended " +
                  std::string(job_state_name(*job.told)));
    }
    --job.retries_open;
    ++totals_.revivals;
    job.told.reset();
  }
  judge_end(job, state, details);
  if (details.losses) judge_losses(job, *details.losses);
  if (job.told_life == 0) job.told_life = life_;
  if (job.told) return;
  job.told = state;
  job.told_at = event_;
  ++(state == JobState::succeeded ? totals_.succeeded : totals_.other_ends);
}

// Whether an end is explained by what the broker was told.
void Auditor::judge_end(const Job& job, JobState state, const Details& details) {
  const std::string text = name(job.ask.id) + " ended " + std::string(job_state_name(state));
  const auto reported = [&](auto matches) { return std::any_of(job.sent.begin(), job.sent.end(), matches); };
  switch (state) {
    case JobState::succeeded: {
      const bool known = reported([&](const Sent& one) {
        return one.completed_at != 0 && one.end == AttemptEnd::succeeded &&
               (!details.result || *details.result == "did " + text_of(one.token));
      });
      if (!known)
        fail(text + ", but no worker reported that" + (details.result ? " with the result '" + *details.result + "'" : ""));
      return;
    }
    case JobState::failed: {
      if (!details.losses) return;
      std::uint64_t failures = 0, lost = 0;
      bool rejected = false;
      for (const Sent& one : job.sent) {
        const bool failure = one.end == AttemptEnd::failed || one.end == AttemptEnd::timed_out;
        if (one.completed_at != 0 && failure) ++failures;
        if (one.completed_at != 0 && one.end == AttemptEnd::rejected) rejected = true;
        // What failed after its lease had ended may have been charged as a loss before; so may what waited for a look into
        // the store when its connection ended, which nobody carried out then.
        if (!one.never_left && (one.completed_at == 0 || !failure || one.late || !one.counted)) ++lost;
      }
      const bool spent = failures > 0 && failures > (job.ask.options.expires.count() > 0 ? 0 : job.ask.options.retries);
      // A dispatch that a crash kept from leaving counts as a loss too.
      lost += totals_.restarts - job.restarts;
      if (!rejected && !spent && lost <= job.ask.options.losses) fail(text + " before its retries or losses were spent");
      return;
    }
    case JobState::cancelled:
      if (!job.cancel_asked) fail(text + ", but nobody asked for that");
      return;
    case JobState::expired:
      if (job.ask.options.expires.count() == 0) fail(text + ", but it never expires");
      return;
    default:
      fail(text + ", which is no end");
  }
}

// Only what left can be lost; and what a crash may have kept from leaving, for all that the broker knows.
void Auditor::judge_losses(const Job& job, std::uint32_t losses) {
  if (losses > job.ask.options.losses + 1) {
    return fail(name(job.ask.id) + " is charged " + std::to_string(losses) + " losses, and may have " +
                std::to_string(job.ask.options.losses));
  }
  const auto left = [](const Sent& one) { return !one.never_left; };
  const auto most =
      static_cast<std::uint64_t>(std::count_if(job.sent.begin(), job.sent.end(), left)) + (totals_.restarts - job.restarts);
  if (losses <= most) return;
  fail(name(job.ask.id) + " is charged " + std::to_string(losses) + " losses, but was given to a worker " +
       std::to_string(job.sent.size()) + " times");
}

// Asked before a retry, and answered out of the store after it: the end that the retry undid.
bool Auditor::is_of_the_past(const Job& job, std::uint64_t asked_at) { return job.retried && asked_at < job.retried_at; }

// Its keep may be over, or the broker may hold as many as it may.
bool Auditor::may_be_gone(const Job& job, Millis early) const {
  if (job.may_be_forgotten) return true;
  // Outcomes in memory make room for new jobs.
  const bool may_have_ended = !job.sent.empty() || job.cancel_asked || job.ask.options.expires.count() > 0;
  if (rules_.memory_limit > 0 && job.ask.options.durability == Durability::memory && may_have_ended) return true;
  const Millis keep = job.ask.options.keep;
  if (keep.count() < 0 && !rules_.forgets_early) return false;
  // After a restart the broker's clock may be ahead by as much as the wall clock was set.
  if (rules_.clock_steps) return true;
  // It ended at this moment or later.
  Steady alive = job.received_when;
  if (!job.sent.empty()) alive = std::max(alive, job.sent.back().when);
  const Millis least = rules_.forgets_early ? rules_.dedup_window : std::max(keep, rules_.dedup_window);
  return timeline_.now().steady >= alive + least - early;
}

void Auditor::told_alive(Job& job, JobState state, std::string_view why) {
  if (!job.told) return;
  // What is said of a memory job, its dispatch too, may leave behind what was decided later.
  if (job.ask.options.durability == Durability::memory) return;
  if (may_be_gone(job)) {  // and submitted again, as a new job
    job.told.reset();
    return;
  }
  if (job.retries_open > 0) {
    // The retry that made it live again may answer later than this.
    --job.retries_open;
    ++totals_.revivals;
    job.told.reset();
    return;
  }
  fail(name(job.ask.id) + " is told to be " + std::string(job_state_name(state)) + " (" + std::string(why) +
       "), but was told to have ended " + std::string(job_state_name(*job.told)));
}

void Auditor::told_unknown(const Job& job, std::uint64_t asked_at, std::string_view why) {
  // Asked before the acknowledgement left, it may have been answered before the job was there.
  // A retry does not take what is about to be forgotten.
  const Millis early = why == "RETRY" ? limits::kRecentHorizon : Millis{0};
  if (job.acked_at == 0 || asked_at < job.acked_at || may_be_gone(job, early)) return;
  fail(name(job.ask.id) + " was acknowledged and is not known any more (" + std::string(why) + ")");
}

}  // namespace rota::sim

// Time passes.
#include <algorithm>

#include "broker/queue/core_state.h"

namespace rota::queue {

void Core::State::start_clock(Now now) {
  last_now = now;
  if (anchored) return;
  anchored = true;
  anchor = {now.steady, std::max(now.wall, options.last_id_clock)};
  // A fresh store has no previous life.
  if (options.epoch > 1) look_up_through = anchor.wall + limits::kMaxIdAhead;
}

Wall Core::State::id_clock(Now now) const {
  if (!anchored) return std::max(now.wall, options.last_id_clock);
  return anchor.wall + (now.steady - anchor.steady);
}

void Core::tick(Now now, Effects& out) {
  State& s = *state_;
  s.start_clock(now);
  s.extend_leases(now);
  s.last_tick = now.steady;
  for (const JobIndex job : std::exchange(s.cancelled_at_restore, {})) {
    s.finish(job, {Event::cancel, EndReason::cancelled, {}, {}}, now, out);
  }
  s.end_leases(now, out);
  s.end_keys(now);
  s.drop_recents(now);
  s.end_waits(s.queues_due_steady, false, now.steady.ms);
  s.end_waits(s.queues_due_wall, true, now.wall.ms);
  s.end_expiries(now, out);
  s.reclaim_paused(out);
  s.dispatch(now, out);
}

void Core::hold_dispatch(bool on_hold) { state_->on_hold = on_hold; }

void Core::State::end_waits(DeadlineTree& queues, bool wall, std::int64_t now_ms) {
  for (std::size_t count = 0; count < limits::kTurnTimers; ++count) {
    const std::uint32_t index = queues.first_due(now_ms);
    if (index == kNone) return;
    QueueState& queue = shapes.queue(index);
    move((wall ? queue.due_wall : queue.due_steady).first_due(now_ms), Event::due);
  }
}

void Core::State::end_expiries(Now now, Effects& out) {
  for (std::size_t count = 0; count < limits::kTurnTimers; ++count) {
    const JobIndex job = expiries.first_due(now.steady.ms);
    if (job == kNone) return;
    disarm_expiry(job);
    // A running one was given out in time; the worker looks again before it starts it.
    if (jobs[job].state == JobState::running) continue;
    finish(job, {Event::expire, EndReason::expired, {}, {}}, now, out);
  }
}

void Core::State::end_keys(Now now) {
  for (std::size_t count = 0; count < limits::kTurnTimers; ++count) {
    const std::uint32_t key = key_ends.first_due(now.steady.ms);
    if (key == kNone) return;
    key_ends.erase(keys[key].until.ms, key);
    keys[key].until = kNeverSteady;
    keys.release(key);
    if (keys[key].job == kNone) keys.erase(key);
  }
}

void Core::State::drop_recents(Now now) {
  for (std::size_t count = 0; count < limits::kTurnTimers; ++count) {
    if (recent_head == kNone) break;
    const JobEntry& entry = jobs[recent_head];
    if (entry.next != kNone) jobs.prefetch(entry.next);
    if (jobs.detail(recent_head)->finished_at + options.recent_horizon > now.steady) break;
    if (count == 0) jobs.prefetch(entry.id);
    const JobIndex next = entry.next;
    if (next != kNone) {
      jobs.prefetch(jobs[next].id);
      jobs.prefetch_detail(next);
    }
    forget(recent_head);
  }
  for (std::size_t count = 0; count < limits::kTurnTimers; ++count) {
    const JobIndex job = recent_late.first_due(now.steady.ms);
    if (job == kNone) break;
    forget(job);
  }
}

Steady Core::next_deadline() const {
  const State& s = *state_;
  const bool may_hand_out = !s.on_hold && (!s.dirty_lanes.empty() || s.alone_dirty);
  if (may_hand_out || !s.touched.empty() || !s.reclaiming.empty() || !s.returned.empty() ||
      !s.cancelled_at_restore.empty()) {
    return s.last_now.steady;
  }
  // An idle core still looks often enough to tell its own stall from the workers' silence.
  static constexpr Millis kWallLook = std::chrono::seconds{1};  // a wall clock may be set at any time
  std::int64_t at = std::min({s.queues_due_steady.earliest(), s.expiries.earliest(), s.key_ends.earliest(),
                              s.leases.earliest(), s.recent_late.earliest()});
  if (s.recent_head != kNone) {
    at = std::min(at, (s.jobs.detail(s.recent_head)->finished_at + s.options.recent_horizon).ms);
  }
  if (!s.queues_due_wall.empty()) {
    const std::int64_t wait = s.queues_due_wall.earliest() - s.last_now.wall.ms;
    at = std::min(at, s.last_now.steady.ms + std::clamp<std::int64_t>(wait, 0, kWallLook.count()));
  }
  if (s.sessions.size() > 0) {
    const Steady from = s.last_tick.value_or(s.last_now.steady);
    at = std::min(at, (from + s.options.lease / 6).ms);
  }
  return Steady{at};
}

}  // namespace rota::queue

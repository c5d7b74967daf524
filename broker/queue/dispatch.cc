// Who gets which job. Costs what is handed out: only lanes where jobs or room came are looked at, in them only sessions
// with room and classes with jobs.
#include <algorithm>

#include "broker/queue/core_state.h"
#include "common/base/peer_limits.h"

namespace rota::queue {

void Core::State::dispatch(Now now, Effects& out) {
  settle_touched(now, out);
  if (on_hold) return;  // the lanes stay dirty
  if (alone_dirty) reserve_workers(now, out);
  std::uint32_t budget = limits::kTurnDispatches;
  looked = 0;
  // Every free slot, of all workers in turn, before anybody gets more than it can run.
  const bool all = fill_lanes(&State::fill_slots, budget, now, out) && fill_lanes(&State::fill_credit, budget, now, out);
  send_given(now, out);
  if (!all) return;  // the lanes stay dirty: the next turn goes on
  looked = 0;
  std::size_t done = 0;
  while (done < dirty_lanes.size() && looked < limits::kTurnReclaimLooks) {
    Lane& lane = lanes[dirty_lanes[done]];
    if (!reclaim_for(lane, out)) break;
    lane.dirty = false;
    ++done;
  }
  dirty_lanes.erase(dirty_lanes.begin(), dirty_lanes.begin() + static_cast<std::ptrdiff_t>(done));
}

// Fills the dirty lanes, each as far as its share of the turn goes, again and again. False: the turn was over before all
// had what they can have. Then the next one begins with the lane that comes next, so that nobody waits for the widest
// worker's.
bool Core::State::fill_lanes(FillLane fill, std::uint32_t& budget, Now now, Effects& out) {
  for (bool all = false; !all;) {
    all = true;
    const std::uint64_t share = std::max(limits::kTurnLooks / (dirty_lanes.size() + 1), limits::kLeastLaneLooks);
    // By number: a worker whose slots fill up may make further lanes dirty.
    for (std::size_t i = 0; i < dirty_lanes.size(); ++i) {
      const bool done = (this->*fill)(lanes[dirty_lanes[i]], looked + share, budget, now, out);
      all = all && done;
      if (budget > 0 && looked < limits::kTurnLooks) continue;
      std::rotate(dirty_lanes.begin(), dirty_lanes.begin() + static_cast<std::ptrdiff_t>(i) + 1, dirty_lanes.end());
      return false;
    }
  }
  return true;
}

// Sessions whose room may have changed join the rings that they had left.
void Core::State::settle_touched(Now now, Effects& out) {
  for (std::size_t i = 0; i < touched.size(); ++i) {
    Session* session = sessions.find(touched[i]);
    if (session == nullptr) continue;
    session->touched = false;
    note_overfull(*session);
    if (session->reserved != kNone && session->unfinished == 0 && session->connected) start_alone(*session, now, out);
    join_rings(*session);
  }
  touched.clear();
}

void Core::State::join_rings(Session& session) {
  const bool slot = session.has_free_slot();
  if (!slot && !session.has_free_credit()) return;
  for (std::uint32_t at = 0; at < session.lanes.size(); ++at) {
    ServedLane& served = session.lanes[at];
    Lane& lane = lanes[served.lane];
    if (!slot) {
      join_credit(lane, session, at);
    } else if (!served.in_slots) {
      lane.free_slots.push({session.ref, at, session.service});
      served.in_slots = true;
    }
    mark_dirty(served.lane);
  }
}

void Core::State::join_credit(Lane& lane, Session& session, std::uint32_t at) {
  ServedLane& served = session.lanes[at];
  if (served.in_credit && served.credit_load == session.load()) return;
  leave_credit(lane, session, at);
  served.credit_load = session.load();
  served.in_credit = true;
  lane.free_credit.insert({served.credit_load, {session.ref, at, session.service}});
}

void Core::State::leave_credit(Lane& lane, Session& session, std::uint32_t at) {
  ServedLane& served = session.lanes[at];
  if (served.in_credit) lane.free_credit.erase({served.credit_load, {session.ref, at, session.service}});
  served.in_credit = false;
}

// Its item in the ring is void from now on. Those go when a job comes, and before that when they are most of the ring:
// sessions come and go on a queue that stays idle.
void Core::State::leave_slots(Lane& lane, ServedLane& served) {
  if (served.in_slots) ++lane.void_slots;
  served.in_slots = false;
  static constexpr std::size_t kFew = 8;
  if (lane.void_slots < kFew || lane.void_slots <= lane.free_slots.size() / 2) return;
  for (std::size_t left = lane.free_slots.size(); left > 0; --left) {
    const RingItem item = lane.free_slots.pop();
    const Session* session = session_of(item);
    if (session != nullptr && session->lanes[item.at].in_slots) lane.free_slots.push(item);
  }
  lane.void_slots = 0;
}

Session* Core::State::session_of(const RingItem& item) {
  Session* session = sessions.find(item.session);
  return session != nullptr && session->service == item.service ? session : nullptr;
}

JobIndex Core::State::best_in_lane(Lane& lane, bool suspects_too) {
  if (shapes.queue(lane.queue).paused) return kNone;
  JobIndex best = kNone;
  Rank best_rank = UINT64_MAX;
  for (std::size_t i = 0; i < lane.active.size();) {
    const DispatchClass& in = shapes.dispatch_class(lane.active[i]);
    if (in.ready.empty() && in.suspects.empty()) {
      lane.active[i] = lane.active.back();
      lane.active.pop_back();
      continue;
    }
    ++i;
    for (const ReadyQueue* queue : {&in.ready, &in.suspects}) {
      if (queue->empty() || (queue == &in.suspects && !suspects_too)) continue;
      const JobIndex job = queue->best(jobs);
      const Rank rank = jobs[job].rank();
      if (rank >= best_rank) continue;
      best_rank = rank;
      best = job;
    }
  }
  return best;
}

// The session's next job: of the queue whose turn it is by weight, the best.
JobIndex Core::State::pick(Session& session, bool suspects_too) {
  if (session.lanes.size() == 1) {
    Lane& only = lanes[session.lanes[0].lane];
    looked += only.active.size();
    return best_in_lane(only, suspects_too);
  }
  static constexpr std::uint64_t kStride = std::uint64_t{1} << 20U;
  ServedLane* chosen = nullptr;
  JobIndex best = kNone;
  std::uint64_t lowest = UINT64_MAX;
  for (ServedLane& served : session.lanes) {
    // A queue that had no jobs for a while does not get to make up for it.
    const std::uint64_t pass = std::max(served.pass, session.virtual_pass);
    if (pass >= lowest) continue;
    Lane& lane = lanes[served.lane];
    looked += 1 + lane.active.size();
    const JobIndex job = best_in_lane(lane, suspects_too);
    if (job == kNone) continue;
    chosen = &served;
    best = job;
    lowest = pass;
  }
  if (chosen == nullptr) return kNone;
  session.virtual_pass = lowest;
  chosen->pass = lowest + kStride / chosen->weight;
  return best;
}

bool Core::State::fill_slots(Lane& lane, std::uint64_t looks, std::uint32_t& budget, Now now, Effects& out) {
  while (!lane.free_slots.empty()) {
    if (best_in_lane(lane, true) == kNone) return true;
    if (budget == 0 || looked >= looks) return false;
    looked += lane.active.size();
    const RingItem item = lane.free_slots.pop();
    Session* session = session_of(item);
    if (session == nullptr) {
      --lane.void_slots;
      continue;
    }
    ServedLane& served = session->lanes[item.at];
    served.in_slots = false;
    if (!session->has_free_slot()) continue;
    give(*session, pick(*session, true), now, out);
    --budget;
    if (!session->has_free_slot()) {
      join_rings(*session);
      continue;
    }
    lane.free_slots.push(item);
    served.in_slots = true;
  }
  return true;
}

bool Core::State::fill_credit(Lane& lane, std::uint64_t looks, std::uint32_t& budget, Now now, Effects& out) {
  while (!lane.free_credit.empty()) {
    if (best_in_lane(lane, false) == kNone) return true;
    if (budget == 0 || looked >= looks) return false;
    looked += lane.active.size();
    std::size_t ready = 0;
    for (const std::uint32_t in : lane.active) ready += shapes.dispatch_class(in).ready.size();
    const std::size_t share = ready / lane.free_credit.size();
    const auto chunk = std::clamp<std::size_t>(share, 1, limits::kPrefetchChunk);
    const RingItem item = lane.free_credit.begin()->item;
    Session& session = *sessions.find(item.session);
    leave_credit(lane, session, item.at);
    bool room = session.has_free_credit();
    for (std::size_t i = 0; i < chunk && room && budget > 0 && (i == 0 || looked < looks); ++i) {
      const JobIndex job = pick(session, false);
      if (job == kNone) break;
      room = session.bytes + jobs[job].body_bytes() <= limits::kMaxBytesInFlight;
      if (!room) break;
      give(session, job, now, out);
      --budget;
      room = session.has_free_credit();
    }
    if (room) join_credit(lane, session, item.at);
  }
  return true;
}

void Core::State::give(Session& session, JobIndex job, Now now, Effects& out) {
  JobDetail& detail = jobs.ensure_detail(job);
  detail.token = {options.epoch, next_dispatch++};
  detail.token_open = true;
  detail.charged = false;
  move(job, Event::dispatch, {0, false, session.ref});
  emit_lease(job, now, out);
  ++counters.dispatched;
  ++queue_of(job).dispatched;
  if (JobEntry& entry = jobs[job]; !entry.wait_known) {
    entry.wait_known = true;
    counters.queue_wait.add(at_least_zero(now.wall - entry.created_at));
  }
  if (session.batch.empty()) given.push_back(session.ref);
  session.batch.push_back(job);
}

void Core::State::send_given(Now now, Effects& out) {
  for (const SessionRef ref : given) {
    Session& session = *sessions.find(ref);
    note_overfull(session);
    for (const bool in_memory : {true, false}) {
      const auto first = static_cast<std::uint32_t>(out.dispatches.size());
      for (const JobIndex job : session.batch) {
        const JobEntry& entry = jobs[job];
        if (entry.in_memory != in_memory) continue;
        const JobDetail& detail = *jobs.detail(job);
        Millis expires_in{0};
        if (detail.expires_at != kNeverSteady) expires_in = std::max(detail.expires_at - now.steady, Millis{1});
        out.dispatches.push_back(
            {detail.token, entry.id, entry.sequence, entry.attempts + 1, expires_in, entry.durability()});
      }
      const auto count = static_cast<std::uint32_t>(out.dispatches.size()) - first;
      if (count > 0) out.messages.push_back(Message{in_memory, Dispatch{ref, {first, count}}});
    }
    session.batch.clear();
  }
  given.clear();
}

void Core::State::note_overfull(Session& session) {
  const bool overfull = session.beyond_slots() > 0;
  if (overfull == session.overfull) return;
  session.overfull = overfull;
  for (const ServedLane& served : session.lanes) {
    QueueState& queue = shapes.queue(lanes[served.lane].queue);
    if (overfull) {
      queue.overfull.insert(session.ref);
    } else {
      queue.overfull.erase(session.ref);
    }
  }
}

}  // namespace rota::queue

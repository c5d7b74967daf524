// Taking back what workers hold but have not started: for idle workers, for a pause, for a worker that is to run empty.
#include <algorithm>
#include <utility>

#include "broker/queue/core_state.h"
#include "common/base/peer_limits.h"

namespace rota::queue {

// When workers of this lane have free slots and nothing is ready for them, they get a fair part of what others hold.
bool Core::State::reclaim_for(Lane& lane, Effects& out) {
  const std::size_t goes_on = std::exchange(lane.reclaim_left, 0);
  QueueState& queue = shapes.queue(lane.queue);
  if (queue.paused || queue.overfull.empty() || lane.free_slots.empty()) return true;
  if (best_in_lane(lane, true) != kNone) return true;
  std::uint64_t want = 0;
  std::uint64_t idle = 0;
  for (std::size_t i = 0; i < std::min(lane.free_slots.size(), limits::kReclaimSearch); ++i) {
    const Session* session = session_of(lane.free_slots.peek(i));
    if (session == nullptr || !session->has_free_slot()) continue;
    want += session->credit - session->unfinished;
    ++idle;
  }
  const auto laden = static_cast<std::uint64_t>(queue.overfull.size());
  std::size_t looked_at = 0;
  for (const SessionRef ref : queue.overfull) {
    if (++looked_at > limits::kReclaimSearch) break;
    want -= std::min<std::uint64_t>(want, sessions.find(ref)->asked);
  }
  std::size_t left = goes_on > 0 ? goes_on : std::min(limits::kReclaimSearch, queue.overfull.size());
  auto next = queue.overfull.upper_bound(lane.reclaim_after);
  for (; left > 0 && want > 0; --left) {
    if (looked >= limits::kTurnReclaimLooks) {
      lane.reclaim_left = left;
      return false;
    }
    if (next == queue.overfull.end()) next = queue.overfull.begin();
    lane.reclaim_after = *next;
    Session& session = *sessions.find(*next);
    ++next;
    const std::uint32_t beyond = session.beyond_slots();
    if (!session.connected || beyond <= session.asked) continue;
    // If all shared evenly, the idle ones would have idle / (idle + laden) of it; at least one job.
    const std::uint64_t unasked = beyond - session.asked;
    const std::uint64_t share = (unasked * idle + idle + laden - 1) / (idle + laden);
    const auto most = static_cast<std::uint32_t>(std::min({want, share, unasked}));
    want -= ask_back(session, most, {lane.queue, lane.type_set, false}, out);
  }
  return true;
}

std::uint32_t Core::State::ask_back(Session& session, std::uint32_t most, const AskedBack& which, Effects& out) {
  const auto first = static_cast<std::uint32_t>(out.tokens.size());
  std::uint32_t count = 0;
  for (JobIndex job = session.tail; job != kNone && count < most; job = jobs[job].prev) {
    JobDetail& detail = *jobs.detail(job);
    ++looked;
    if (detail.token.dispatch <= session.started_through) break;
    if (detail.reclaim_asked || jobs[job].cancel_requested) continue;
    const DispatchClass& in = class_of(job);
    if (which.queue != kNone && in.queue != which.queue) continue;
    if (which.set != kNone && !lanes.serves(which.set, in.type)) continue;
    if (which.paused && !shapes.queue(in.queue).paused) continue;
    detail.reclaim_asked = true;
    ++session.asked;
    ++count;
    out.tokens.push_back({jobs[job].id, detail.token});
  }
  if (count == 0) return 0;
  counters.reclaimed += count;
  // Behind the dispatches of these jobs, which wait for their commit: not at once.
  out.messages.push_back(Message{false, ReclaimRequest{session.ref, {first, count}}});
  return count;
}

// Every session may hold jobs of the queue that was paused: reclaim_paused() asks them in slices.
void Core::State::start_reclaiming(std::uint32_t queue) {
  QueueState& state = shapes.queue(queue);
  state.reclaim_at = 0;
  if (state.reclaiming) return;
  state.reclaiming = true;
  reclaiming.push_back(queue);
}

void Core::State::ask_for_paused(Session& session, std::uint32_t queue, Effects& out) {
  ++looked;
  if (session.reserved != kNone && queue_of(session.reserved).paused) unreserve(session, true);
  if (session.connected) ask_back(session, UINT32_MAX, {queue, kNone, true}, out);
}

void Core::State::reclaim_paused(Effects& out) {
  looked = 0;
  while (!returned.empty() && looked < limits::kTurnReclaimLooks) {
    Session* session = sessions.find(returned.front());
    returned.pop_front();
    if (session == nullptr) continue;
    session->returned = false;
    ask_for_paused(*session, kNone, out);
  }
  while (!reclaiming.empty() && looked < limits::kTurnReclaimLooks) {
    QueueState& queue = shapes.queue(reclaiming.front());
    while (queue.paused && queue.reclaim_at < sessions.places() && looked < limits::kTurnReclaimLooks) {
      Session* session = sessions.at_place(queue.reclaim_at++);
      ++looked;
      if (session != nullptr) ask_for_paused(*session, reclaiming.front(), out);
    }
    if (queue.paused && queue.reclaim_at < sessions.places()) return;  // the next turn goes on
    ++looked;
    queue.reclaiming = false;
    reclaiming.pop_front();
  }
}

}  // namespace rota::queue

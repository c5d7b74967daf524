// Taking back what workers hold but have not started: for idle workers, for a pause, for a worker that is to run empty.
#include <algorithm>

#include "broker/queue/core_state.h"

namespace rota::queue {

// When workers of this lane have free slots and nothing is ready for them, they get a fair part of what others hold.
void Core::State::reclaim_for(Lane& lane, Effects& out) {
  QueueState& queue = shapes.queue(lane.queue);
  if (queue.paused || queue.overfull.empty() || lane.free_slots.empty()) return;
  if (best_in_lane(lane, true) != kNone) return;
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
  looked_at = 0;
  for (const SessionRef ref : queue.overfull) {
    if (want == 0 || ++looked_at > limits::kReclaimSearch) return;
    Session& session = *sessions.find(ref);
    const std::uint32_t beyond = session.beyond_slots();
    if (!session.connected || beyond <= session.asked) continue;
    // If all shared evenly, the idle ones would have idle / (idle + laden) of it; at least one job.
    const std::uint64_t unasked = beyond - session.asked;
    const std::uint64_t share = (unasked * idle + idle + laden - 1) / (idle + laden);
    const auto most = static_cast<std::uint32_t>(std::min({want, share, unasked}));
    want -= ask_back(session, most, lane.queue, lane.type_set, out);
  }
}

std::uint32_t Core::State::ask_back(Session& session, std::uint32_t most, std::uint32_t queue, std::uint32_t set,
                                    Effects& out) {
  const auto first = static_cast<std::uint32_t>(out.tokens.size());
  std::uint32_t count = 0;
  for (JobIndex job = session.tail; job != kNone && count < most; job = jobs[job].prev) {
    JobDetail& detail = *jobs.detail(job);
    if (detail.token.dispatch <= session.started_through) break;
    if (detail.reclaim_asked || jobs[job].cancel_requested) continue;
    const DispatchClass& in = class_of(job);
    if (queue != kNone && in.queue != queue) continue;
    if (set != kNone && !lanes.serves(set, in.type)) continue;
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

// Marks every session that may hold jobs of a queue that was paused; reclaim_paused() asks them in slices.
void Core::State::pause_members(std::uint32_t queue) {
  sessions.each([&](const Session& session) {
    if (session.unfinished > 0 || session.reserved != kNone) reclaim_all.emplace_back(session.ref, queue);
  });
}

void Core::State::reclaim_paused(Effects& out) {
  std::size_t work = 0;
  while (!reclaim_all.empty() && work < limits::kTurnTimers) {
    const auto [ref, queue] = reclaim_all.front();
    reclaim_all.pop_front();
    Session* session = sessions.find(ref);
    if (session == nullptr) continue;
    work += 1 + session->unfinished;
    if (session->reserved != kNone && queue_of(session->reserved).paused) unreserve(*session, true);
    if (!session->connected) continue;
    if (queue != kNone) {
      if (shapes.queue(queue).paused) ask_back(*session, UINT32_MAX, queue, kNone, out);
      continue;
    }
    for (const ServedLane& served : session->lanes) {
      const std::uint32_t one = lanes[served.lane].queue;
      if (shapes.queue(one).paused) ask_back(*session, UINT32_MAX, one, kNone, out);
    }
  }
}

}  // namespace rota::queue

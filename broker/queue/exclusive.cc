// Jobs that lost their worker more than once run alone: a worker is reserved, runs empty, and gets that job and nothing
// beside it. So whatever such a job does to its worker, it does to no neighbour.
#include <algorithm>

#include "broker/queue/core_state.h"

namespace rota::queue {

void Core::State::reserve_workers(Now now, Effects& out) {
  alone_dirty = false;
  // By key: a reservation may take the class out of the set.
  for (auto at = alone_classes.begin(); at != alone_classes.end();) {
    const std::uint32_t index = *at;
    reserve_for_class(index, out);
    at = alone_classes.upper_bound(index);
  }
  // Those that were idle anyway start at once.
  for (std::size_t i = 0; i < touched.size(); ++i) {
    Session* session = sessions.find(touched[i]);
    if (session == nullptr) continue;
    session->touched = false;
    if (session->reserved != kNone && session->unfinished == 0) start_alone(*session, now, out);
    note_overfull(*session);
    join_rings(*session);
  }
  touched.clear();
}

void Core::State::reserve_for_class(std::uint32_t index, Effects& out) {
  DispatchClass& in = shapes.dispatch_class(index);
  const QueueState& queue = shapes.queue(in.queue);
  if (queue.paused) return;
  // At most a quarter of the workers (one at least): the healthy jobs go on.
  const std::uint32_t most = std::max(1U, queue.members / 4);
  while (!in.alone.empty() && in.exclusive < most) {
    if (!reserve_for(in, in.alone.best(jobs), out)) return;
  }
}

bool Core::State::reserve_for(DispatchClass& in, JobIndex job, Effects& out) {
  Session* chosen = nullptr;
  std::size_t looked_at = 0;
  for (const std::uint32_t index : in.lanes) {
    Lane& lane = lanes[index];
    for (std::size_t i = 0; i < lane.members.size() && looked_at < limits::kReserveSearch; ++i, ++looked_at) {
      lane.search = (lane.search + 1) % static_cast<std::uint32_t>(lane.members.size());
      Session& session = *sessions.find(lane.members[lane.search]);
      const bool usable = session.connected && !session.draining && session.credit > 0 && session.reserved == kNone &&
                          session.exclusive == kNone;
      if (usable && (chosen == nullptr || session.unfinished < chosen->unfinished)) chosen = &session;
    }
  }
  if (chosen == nullptr) return false;
  leave_ready(job);
  chosen->reserved = job;
  jobs.ensure_detail(job).session = chosen->ref;
  ++in.exclusive;
  ask_back(*chosen, UINT32_MAX, {}, out);
  touch(*chosen);
  return true;
}

// The job is no longer waiting for this worker. `back_to_class`: it looks for another one.
void Core::State::unreserve(Session& session, bool back_to_class) {
  const JobIndex job = session.reserved;
  session.reserved = kNone;
  jobs.detail(job)->session = kNoSession;
  --class_of(job).exclusive;
  if (back_to_class) enter_ready(job);
  alone_dirty = true;
  touch(session);
}

void Core::State::start_alone(Session& session, Now now, Effects& out) {
  const JobIndex job = session.reserved;
  if (queue_of(job).paused || session.draining) return unreserve(session, true);
  if (session.credit == 0) return;
  // give() takes the job out of the ready state, and with it the reservation off.
  give(session, job, now, out);
  session.exclusive = job;
  ++class_of(job).exclusive;
}

}  // namespace rota::queue

#include "broker/queue/core_state.h"

namespace rota::queue {
namespace {

constexpr std::uint32_t bit(JobState state) { return 1U << static_cast<std::uint32_t>(state); }

}  // namespace

void Core::apply(const Purge& command, Now now, Effects& out) {
  State& s = *state_;
  s.start_clock(now);
  PurgeReply reply{command.client, command.request, 0, false};
  const std::uint32_t index = s.shapes.find_queue(command.queue);
  if (index != kNone) {
    QueueState& queue = s.shapes.queue(index);
    for (const JobState state : {JobState::succeeded, JobState::failed, JobState::cancelled, JobState::expired}) {
      Sequence& through = queue.purged_through[static_cast<std::size_t>(state)];
      if ((command.states & bit(state)) != 0) through = std::max(through, command.through);
    }
    if ((command.states & bit(JobState::ready)) != 0) {
      reply.forgotten += s.purge_ready(index, command.through, limits::kSliceRecords, reply.more, out);
    }
    if ((command.states & bit(JobState::scheduled)) != 0 && !reply.more) {
      const std::uint64_t most = limits::kSliceRecords - reply.forgotten;
      reply.forgotten += s.purge_scheduled(index, command.through, most, reply.more, out);
    }
  }
  out.messages.push_back(Message{false, reply});
}

void Core::State::purge_job(JobIndex job, Effects& out) {
  emit(job, JobForgotten{jobs[job].id, jobs[job].sequence, {}}, out);
  forget(job);
}

std::uint64_t Core::State::purge_ready(std::uint32_t queue, Sequence through, std::uint64_t most, bool& more,
                                       Effects& out) {
  std::uint64_t count = 0;
  // A class may end with its last job: from the back, the ones before keep their places.
  for (std::size_t i = shapes.queue(queue).classes.size(); i-- > 0;) {
    const std::uint32_t in = shapes.queue(queue).classes[i];
    for (;;) {
      if (i >= shapes.queue(queue).classes.size() || shapes.queue(queue).classes[i] != in) break;
      const DispatchClass& one = shapes.dispatch_class(in);
      JobIndex job = one.ready.any_through(jobs, through);
      if (job == kNone) job = one.suspects.any_through(jobs, through);
      if (job == kNone) job = one.alone.any_through(jobs, through);
      if (job == kNone) break;
      if (count == most) {
        more = true;
        return count;
      }
      purge_job(job, out);
      ++count;
    }
  }
  return count;
}

std::uint64_t Core::State::purge_scheduled(std::uint32_t index, Sequence through, std::uint64_t most, bool& more,
                                           Effects& out) {
  QueueState& queue = shapes.queue(index);
  if (queue.purge.through != through) queue.purge = {through, {}, {}};
  std::uint64_t count = 0;
  std::size_t visited = 0;
  for (const bool wall : {false, true}) {
    DeadlineTree& tree = wall ? queue.due_wall : queue.due_steady;
    DeadlineTree::Key& cursor = wall ? queue.purge.wall : queue.purge.steady;
    for (auto next = tree.next_after(cursor); next.has_value(); next = tree.next_after(cursor)) {
      if (count == most || visited == 4 * limits::kSliceRecords) {
        more = true;
        return count;
      }
      ++visited;
      cursor = *next;
      if (jobs[next->index].sequence > through) continue;
      purge_job(next->index, out);
      ++count;
    }
  }
  queue.purge = {};
  return count;
}

}  // namespace rota::queue

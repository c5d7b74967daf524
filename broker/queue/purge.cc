#include "broker/queue/core_state.h"

namespace rota::queue {

void Core::apply(const Purge& command, Now now, Effects& out) {
  State& s = *state_;
  s.start_clock(now);
  PurgeReply reply{command.client, command.request, 0, false};
  const std::uint32_t index = s.shapes.find_queue(command.queue);
  if (index != kNone) {
    if (command.is_first) s.shapes.queue(index).purge = {};
    if ((command.states & state_bit(JobState::ready)) != 0) {
      reply.forgotten += s.purge_ready(index, command.through, limits::kSliceRecords, reply.more, out);
    }
    if ((command.states & state_bit(JobState::scheduled)) != 0 && !reply.more) {
      const std::uint64_t most = limits::kSliceRecords - reply.forgotten;
      reply.forgotten += s.purge_scheduled(index, command.through, most, reply.more, out);
    }
  }
  out.messages.push_back(Message{false, reply});
}

void Core::apply(const ForgetFinished& command, Now now, Effects& out) {
  State& s = *state_;
  s.start_clock(now);
  PurgeReply reply{command.client, command.request, 0, false};
  for (const FinishedJob& job : command.jobs) reply.forgotten += s.forget_finished(job, out) ? 1U : 0U;
  out.messages.push_back(Message{false, reply});
}

bool Core::State::forget_finished(const FinishedJob& finished, Effects& out) {
  const JobId& id = finished.job.id;
  Durability durability = finished.job.shared->policy.durability;
  if (const JobIndex job = jobs.find(id); job != kNone) {
    JobEntry& entry = jobs[job];
    if (!is_final(entry.state) || entry.sequence != finished.outcome.sequence || entry.forgotten) return false;
    entry.forgotten = true;
    durability = entry.durability();
  }
  release_key_end(finished);
  out.changes.push_back(Change{durability, JobForgotten{id, finished.outcome.sequence, {}}});
  return true;
}

// What is forgotten holds no key any more.
void Core::State::release_key_end(const FinishedJob& finished) {
  if (finished.job.key.empty()) return;
  const std::uint32_t queue = shapes.find_queue(finished.job.shared->queue);
  const std::uint32_t key = queue == kNone ? kNone : keys.find(queue, finished.job.key);
  if (key == kNone || keys[key].until == kNeverSteady || keys[key].id != finished.job.id) return;
  leave_key_end(key);
  keys.release(key);
  if (keys[key].job == kNone) keys.erase(key);
}

void Core::State::purge_job(JobIndex job, Effects& out) {
  emit(job, JobForgotten{jobs[job].id, jobs[job].sequence, {}}, out);
  forget(job);
}

std::uint64_t Core::State::purge_ready(std::uint32_t queue, Sequence through, std::uint64_t most, bool& more,
                                       Effects& out) {
  std::uint64_t count = 0;
  // A class may end with its last job, and the last class then takes its place: from the back, that one was met before.
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
  // A job for which a worker runs empty is on no list.
  std::vector<JobIndex> reserved;
  sessions.each([&](const Session& session) {
    const JobIndex job = session.reserved;
    if (job != kNone && class_of(job).queue == queue && jobs[job].sequence <= through) reserved.push_back(job);
  });
  for (const JobIndex job : reserved) {
    if (count == most) {
      more = true;
      break;
    }
    purge_job(job, out);
    ++count;
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

// The only place that changes a job's state, and with it the lists it is in and the counts.
#include "broker/queue/core_state.h"

namespace rota::queue {

JobIndex Core::State::begin(const JobRecord& job, std::uint32_t shape, std::size_t body_bytes, JobState state,
                            const Into& into) {
  const JobIndex index = jobs.insert(job.id);
  JobEntry& entry = jobs[index];
  entry.sequence = job.sequence;
  entry.content_hash = job.content_hash;
  entry.created_at = job.created_at;
  entry.shape = shape;
  entry.priority = job.priority;
  entry.set_body_bytes(body_bytes);
  entry.wait_known = job.run_at > job.created_at;
  entry.in_memory = shapes.shape(shape).policy.durability == Durability::memory;
  entry.state = state;
  ++queue_of(index).counts[static_cast<std::size_t>(state)];
  ++live;
  enter(index, into);
  return index;
}

void Core::State::move(JobIndex job, Event event, const Into& into) {
  const JobState from = jobs[job].state;
  const std::optional<JobState> to = next_state(from, event);
  ROTA_CHECK(to.has_value());
  leave(job);
  QueueState& queue = queue_of(job);
  if (!is_final(from)) {
    --queue.counts[static_cast<std::size_t>(from)];
    if (is_final(*to)) {
      --live;
      queue.finishes.add(last_now.steady);
    }
  } else {
    ++live;  // revived; the counts of final states are since the start
  }
  ++queue.counts[static_cast<std::size_t>(*to)];
  jobs[job].state = *to;
  enter(job, into);
}

void Core::State::forget(JobIndex job) {
  leave(job);
  if (!is_final(jobs[job].state)) {
    --queue_of(job).counts[static_cast<std::size_t>(jobs[job].state)];
    --live;
  }
  disarm_expiry(job);
  if (const JobDetail* detail = jobs.detail(job); detail != nullptr && detail->key != kNone) {
    KeyTable::Record& key = keys[detail->key];
    if (key.held && key.until != kNeverSteady) {
      key.job = kNone;  // key_for goes on without the job
    } else {
      keys.erase(detail->key);
    }
  }
  const std::uint32_t shape = jobs[job].shape;
  jobs.erase(job);
  release_shape(shape);
}

void Core::State::leave(JobIndex job) {
  JobEntry& entry = jobs[job];
  switch (entry.state) {
    case JobState::ready:
      leave_ready(job);
      break;
    case JobState::running:
      leave_running(job);
      break;
    case JobState::scheduled: {
      QueueState& queue = queue_of(job);
      ROTA_CHECK((entry.wall_due ? queue.due_wall : queue.due_steady).erase(entry.due(), job));
      entry.wall_due = false;
      refresh_due(class_of(job).queue);
      break;
    }
    case JobState::blocked:
      break;
    default: {
      if (entry.wall_due) {  // of a final job: it is in recent_late
        ROTA_CHECK(recent_late.erase(entry.due(), job));
        entry.wall_due = false;
        break;
      }
      (entry.prev == kNone ? recent_head : jobs[entry.prev].next) = entry.next;
      (entry.next == kNone ? recent_tail : jobs[entry.next].prev) = entry.prev;
    }
  }
  entry.prev = entry.next = kNone;
}

void Core::State::enter(JobIndex job, const Into& into) {
  JobEntry& entry = jobs[job];
  switch (entry.state) {
    case JobState::ready:
      enter_ready(job);
      return;
    case JobState::running:
      enter_running(job, into);
      return;
    case JobState::scheduled: {
      QueueState& queue = queue_of(job);
      entry.wall_due = into.wall_due;
      entry.set_due(into.due);
      (into.wall_due ? queue.due_wall : queue.due_steady).insert(into.due, job);
      refresh_due(class_of(job).queue);
      return;
    }
    case JobState::blocked:
      return;
    default:
      if (into.due != 0) {
        entry.wall_due = true;
        entry.set_due(into.due);
        recent_late.insert(into.due, job);
        return;
      }
      entry.prev = recent_tail;
      entry.next = kNone;
      (recent_tail == kNone ? recent_head : jobs[recent_tail].next) = job;
      recent_tail = job;
  }
}

void Core::State::enter_ready(JobIndex job) {
  const std::uint32_t index = class_index_of(job);
  DispatchClass& in = shapes.dispatch_class(index);
  const std::uint8_t losses = jobs[job].losses;
  if (losses >= 2) {
    in.alone.push(jobs, job);
    alone_classes.insert(index);
    alone_dirty = true;
    return;
  }
  ReadyQueue& into = losses == 0 ? in.ready : in.suspects;
  into.push(jobs, job);
  if (into.size() > 1) return;  // the lanes know already that the class has work
  for (const std::uint32_t lane : in.lanes) {
    std::vector<std::uint32_t>& active = lanes[lane].active;
    if (std::find(active.begin(), active.end(), index) == active.end()) active.push_back(index);
    mark_dirty(lane);
  }
}

void Core::State::leave_ready(JobIndex job) {
  const std::uint32_t index = class_index_of(job);
  DispatchClass& in = shapes.dispatch_class(index);
  const std::uint8_t losses = jobs[job].losses;
  if (losses < 2) {
    (losses == 0 ? in.ready : in.suspects).remove(jobs, job);
    return;
  }
  JobDetail* detail = jobs.detail(job);
  Session* reserved = detail == nullptr ? nullptr : sessions.find(detail->session);
  if (reserved != nullptr && reserved->reserved == job) {
    unreserve(*reserved, false);
    return;
  }
  in.alone.remove(jobs, job);
  if (in.alone.empty()) alone_classes.erase(index);
}

void Core::State::enter_running(JobIndex job, const Into& into) {
  Session& session = *sessions.find(into.session);
  JobDetail& detail = jobs.ensure_detail(job);
  JobEntry& entry = jobs[job];
  detail.session = into.session;
  // In dispatch order; a new dispatch goes to the end, only a re-attached one may not.
  const auto is_later = [&](JobIndex other) { return jobs.detail(other)->token.dispatch > detail.token.dispatch; };
  JobIndex before = session.tail;
  if (before != kNone && is_later(before) && into.after != kNone) {
    before = into.after;
    for (JobIndex next = jobs[before].next; !is_later(next); next = jobs[next].next, ++counters.reattach_steps)
      before = next;
  }
  for (; before != kNone && is_later(before); before = jobs[before].prev) ++counters.reattach_steps;
  entry.prev = before;
  entry.next = before == kNone ? session.head : jobs[before].next;
  (entry.prev == kNone ? session.head : jobs[entry.prev].next) = job;
  (entry.next == kNone ? session.tail : jobs[entry.next].prev) = job;
  ++session.unfinished;
  session.bytes += entry.body_bytes();
}

void Core::State::leave_running(JobIndex job) {
  JobDetail& detail = *jobs.detail(job);
  JobEntry& entry = jobs[job];
  Session& session = *sessions.find(detail.session);
  (entry.prev == kNone ? session.head : jobs[entry.prev].next) = entry.next;
  (entry.next == kNone ? session.tail : jobs[entry.next].prev) = entry.prev;
  --session.unfinished;
  session.bytes -= entry.body_bytes();
  if (detail.reclaim_asked) --session.asked;
  detail.reclaim_asked = false;
  detail.session = kNoSession;
  if (session.exclusive == job) {
    session.exclusive = kNone;
    --class_of(job).exclusive;
    alone_dirty = true;
  }
  touch(session);
}

void Core::State::refresh_due(std::uint32_t index) {
  QueueState& queue = shapes.queue(index);
  const auto refresh = [index](DeadlineTree& all, std::int64_t earliest, std::int64_t& known) {
    if (earliest == known) return;
    if (known != INT64_MAX) all.erase(known, index);
    if (earliest != INT64_MAX) all.insert(earliest, index);
    known = earliest;
  };
  refresh(queues_due_steady, queue.due_steady.earliest(), queue.known_steady);
  refresh(queues_due_wall, queue.due_wall.earliest(), queue.known_wall);
}

void Core::State::arm_expiry(JobIndex job, Steady at) {
  JobDetail& detail = jobs.ensure_detail(job);
  detail.expires_at = at;
  detail.expiry_armed = true;
  expiries.insert(at.ms, job);
}

void Core::State::disarm_expiry(JobIndex job) {
  JobDetail* detail = jobs.detail(job);
  if (detail == nullptr || !detail->expiry_armed) return;
  ROTA_CHECK(expiries.erase(detail->expires_at.ms, job));
  detail->expiry_armed = false;
}

void Core::State::touch(Session& session) {
  if (session.touched) return;
  session.touched = true;
  touched.push_back(session.ref);
}

void Core::State::mark_dirty(std::uint32_t lane) {
  if (lanes[lane].dirty) return;
  lanes[lane].dirty = true;
  dirty_lanes.push_back(lane);
}

}  // namespace rota::queue

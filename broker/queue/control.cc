// What people ask for: cancel, retry, purge, pause, drain.
#include "broker/queue/core_state.h"

namespace rota::queue {
namespace {

constexpr std::string_view kUnknown = "no such job: it never existed, or it is forgotten";

ItemReply not_found(const JobId& id) {
  ItemReply reply;
  reply.code = Code::not_found;
  reply.id = id;
  reply.reason = kUnknown;
  return reply;
}

ItemReply reply_of_found(const FinishedJob& found, Code code, std::string_view reason) {
  ItemReply reply;
  reply.code = code;
  reply.state = found.outcome.state;
  reply.durability = found.job.shared == nullptr ? Durability::fsync : found.job.shared->policy.durability;
  reply.id = found.job.id;
  reply.created_at = found.job.created_at;
  reply.reason = reason;
  return reply;
}

constexpr std::string_view kFinished = "the job has finished already";

bool concerns_stored(const ItemReply& reply) {
  // That a job is not there may follow from a purge that is not yet on disk.
  return reply.code == Code::not_found || reply.durability != Durability::memory;
}

}  // namespace

void Core::apply(const Cancel& command, Now now, Effects& out) {
  State& s = *state_;
  s.start_clock(now);
  const FoundJobs found(command.found);
  const auto first = static_cast<std::uint32_t>(out.item_replies.size());
  bool stored = false;
  for (const JobId& id : command.ids) {
    const ItemReply reply = s.cancel_one(id, found, now, out);
    stored = stored || concerns_stored(reply);
    out.item_replies.push_back(reply);
  }
  out.messages.push_back(Message{
      !stored, ItemReplies{command.client, command.request, {first, static_cast<std::uint32_t>(command.ids.size())}}});
}

ItemReply Core::State::cancel_one(const JobId& id, const FoundJobs& found, Now now, Effects& out) {
  const JobIndex job = jobs.find(id);
  if (job == kNone) {
    const FinishedJob* finished = found.find(id);
    if (finished == nullptr) return not_found(id);
    if (finished->outcome.state == JobState::cancelled) return reply_of_found(*finished, Code::ok, {});
    return reply_of_found(*finished, Code::conflict, kFinished);
  }
  JobEntry& entry = jobs[job];
  if (is_forgotten(job)) return not_found(id);
  if (entry.state == JobState::cancelled) return reply_of(job, Code::ok, {}, now);
  if (is_final(entry.state)) return reply_of(job, Code::conflict, kFinished, now);
  if (entry.state != JobState::running) {
    finish(job, {Event::cancel, EndReason::cancelled, {}, {}}, now, out);
    return reply_of(job, Code::ok, {}, now);
  }
  if (!entry.cancel_requested) {
    entry.cancel_requested = true;
    emit_state(job, Wall{}, {}, out);
    const JobDetail& detail = *jobs.detail(job);
    if (const Session* session = sessions.find(detail.session); session->connected) {
      out.tokens.push_back({id, detail.token});
      const auto at = static_cast<std::uint32_t>(out.tokens.size() - 1);
      out.messages.push_back(Message{entry.in_memory, CancelRequest{session->ref, {at, 1}}});
    }
  }
  return reply_of(job, Code::ok, {}, now);
}

void Core::apply(const Retry& command, Now now, Effects& out) {
  State& s = *state_;
  s.start_clock(now);
  const FoundJobs found(command.found);
  const auto first = static_cast<std::uint32_t>(out.item_replies.size());
  bool stored = false;
  for (const RetryItem& item : command.items) {
    const ItemReply reply = s.retry_one(item, found, now, out);
    stored = stored || concerns_stored(reply);
    out.item_replies.push_back(reply);
  }
  out.messages.push_back(Message{
      !stored, ItemReplies{command.client, command.request, {first, static_cast<std::uint32_t>(command.items.size())}}});
}

ItemReply Core::State::retry_one(const RetryItem& item, const FoundJobs& found, Now now, Effects& out) {
  static constexpr std::string_view kWentOn = "the job went on since; look at its state again";
  static constexpr std::string_view kHeld = "another job holds its key; wait for that one, or cancel it";
  const JobIndex job = jobs.find(item.id);
  if (job == kNone) {
    const FinishedJob* finished = found.find(item.id);
    // One whose time is over the next moment may be gone from the store before the retry gets there.
    if (finished == nullptr || finished->outcome.forget_at <= id_clock(now) + options.recent_horizon)
      return not_found(item.id);
    if (item.attempt_seen && *item.attempt_seen != finished->outcome.attempts) {
      return reply_of_found(*finished, Code::conflict, kWentOn);
    }
    const std::uint32_t queue = shapes.find_queue(finished->job.shared->queue);
    if (!finished->job.key.empty() && queue != kNone) {
      const std::uint32_t held = keys.find(queue, finished->job.key);
      if (held != kNone && keys[held].id != item.id) return reply_of_found(*finished, Code::conflict, kHeld);
    }
    return revive_found(*finished, now, out);
  }
  if (is_forgotten(job) || (item.dropped && is_final(jobs[job].state))) return not_found(item.id);
  if (!is_final(jobs[job].state)) {
    // The same retry sent again because its answer was lost: attempts count on from what it saw, and none has ended since.
    if (item.attempt_seen && *item.attempt_seen == jobs[job].attempts) return reply_of(job, Code::duplicate, {}, now);
    return reply_of(job, Code::conflict, "the job has not finished; only finished jobs can be retried", now);
  }
  if (item.attempt_seen && *item.attempt_seen != jobs[job].attempts) return reply_of(job, Code::conflict, kWentOn, now);
  if (const JobDetail& detail = *jobs.detail(job); detail.key != kNone && !keys[detail.key].held) {
    const KeyTable::Record& key = keys[detail.key];
    if (keys.find(key.queue, key.text) != kNone) return reply_of(job, Code::conflict, kHeld, now);
  }
  return revive_recent(job, now, out);
}

ItemReply Core::State::revive_recent(JobIndex job, Now now, Effects& out) {
  JobEntry& entry = jobs[job];
  JobDetail& detail = *jobs.detail(job);
  const Sequence old = entry.sequence;
  leave_key_end(detail.key);
  entry.losses = 0;
  detail.failures = 0;
  detail.charged = false;
  entry.cancel_requested = false;
  entry.sequence = next_sequence++;
  if (detail.expires_at <= now.steady) detail.expires_at = kNeverSteady;  // asked for after that: it may start
  move(job, Event::revive);
  if (detail.expires_at != kNeverSteady) arm_expiry(job, detail.expires_at);
  if (detail.key != kNone) {
    keys[detail.key].job = job;
    if (!keys[detail.key].held) keys.hold(detail.key);
  }
  emit_revived(job, old, now, out);
  return reply_of(job, Code::ok, {}, now);
}

ItemReply Core::State::revive_found(const FinishedJob& found, Now now, Effects& out) {
  const std::uint32_t shape = intern_shape(*found.job.shared);
  if (shape == kNone) return reply_of_found(found, Code::too_large, shapes.why_refused(*found.job.shared));
  const Sequence old = found.job.sequence;
  JobRecord job = found.job;
  job.sequence = next_sequence++;
  const JobIndex index = begin(job, shape, found.body_size, JobState::ready, {});
  jobs[index].attempts = found.outcome.attempts;
  JobDetail& detail = jobs.ensure_detail(index);
  detail.consumed = found.outcome.consumed;
  if (job.expires_at.ms > now.wall.ms) arm_expiry(index, now.steady + (job.expires_at - now.wall));
  if (!job.key.empty()) {
    const std::uint32_t queue = class_of(index).queue;
    std::uint32_t key = keys.find(queue, job.key);  // held on by the job itself
    if (key == kNone) {
      key = keys.add(queue, job.key);
      keys.hold(key);
    } else {
      leave_key_end(key);
    }
    keys[key].job = index;
    detail.key = key;
  }
  emit_revived(index, old, now, out);
  jobs.trim_detail(index);
  return reply_of(index, Code::ok, {}, now);
}

// A key that was held beyond the end of its job is that job's again.
void Core::State::leave_key_end(std::uint32_t index) {
  if (index == kNone) return;
  KeyTable::Record& key = keys[index];
  if (key.until == kNeverSteady) return;
  key_ends.erase(key.until.ms, index);
  key.until = kNeverSteady;
}

void Core::State::emit_revived(JobIndex job, Sequence old, Now now, Effects& out) {
  JobEntry& entry = jobs[job];
  entry.wait_known = true;
  StateRecord state;
  state.sequence = entry.sequence;
  state.attempts = entry.attempts;
  state.run_at = now.wall;
  state.expiry_over = never_expires(job);
  if (const JobDetail* detail = jobs.detail(job)) state.consumed = detail->consumed;
  emit(job, JobRevived{entry.id, old, state}, out);
}

void Core::apply(const Pause& command, Now now, Effects& out) {
  State& s = *state_;
  s.start_clock(now);
  // A queue may be paused before its first job comes; one that nobody knows cannot go on.
  if (!command.paused && s.shapes.find_queue(command.queue) == kNone) {
    out.messages.push_back(
        Message{true, SimpleReply{command.client, command.request, Code::not_found, "no such queue; it is not paused"}});
    return;
  }
  const std::uint32_t index = s.shapes.intern_queue(command.queue);
  if (index == kNone) {
    out.messages.push_back(Message{true, SimpleReply{command.client, command.request, Code::too_large,
                                                     "this broker holds as many queues as it can; use an existing queue"}});
    return;
  }
  QueueState& queue = s.shapes.queue(index);
  if (queue.paused != command.paused) {
    queue.paused = command.paused;
    out.changes.push_back(Change{Durability::fsync, QueuePaused{command.queue, command.paused}});
    if (command.paused) {
      s.start_reclaiming(index);
    } else {
      for (const std::uint32_t lane : queue.lanes) s.mark_dirty(lane);
      s.alone_dirty = true;
    }
  }
  out.messages.push_back(Message{false, SimpleReply{command.client, command.request, Code::ok, {}}});
}

void Core::apply(const DrainWorker& command, Now now, Effects& out) {
  State& s = *state_;
  s.start_clock(now);
  SimpleReply reply{command.client, command.request, Code::ok, {}};
  Session* session = s.sessions.find_name(command.name);
  if (session == nullptr) {
    reply.code = Code::not_found;
    reply.reason = "no worker of this name is connected; 'rota workers' shows those that are";
  } else {
    session->draining = true;
    session->drain_asked = true;
    s.touch(*session);
    out.messages.push_back(Message{true, DrainRequest{session->ref}});
  }
  out.messages.push_back(Message{true, reply});
}

}  // namespace rota::queue

#include <algorithm>

#include "broker/queue/core_state.h"

namespace rota::queue {
namespace {

ItemReply refusal(Code code, const JobId& id, std::string_view reason) {
  ItemReply reply;
  reply.code = code;
  reply.id = id;
  reply.reason = reason;
  return reply;
}

}  // namespace

std::uint32_t Core::State::intern_shape(const SharedRecord& shared, std::size_t most_types) {
  bool fresh_class = false;
  const std::uint32_t shape = shapes.intern(shared, fresh_class, most_types);
  if (fresh_class) lanes.add_class(shapes, shapes.shape(shape).dispatch_class);
  return shape;
}

void Core::State::release_shape(std::uint32_t shape) {
  const std::uint32_t ended = shapes.release(shape);
  if (ended == kNone) return;
  lanes.remove_class(shapes, ended);
  shapes.erase_class(ended);
}

void Core::apply(const Submit& command, Now now, Effects& out) {
  State& s = *state_;
  s.start_clock(now);
  const FoundJobs found(command.found);
  s.shape_of_shared.assign(command.shared.size(), kNone);
  const auto first = static_cast<std::uint32_t>(out.item_replies.size());
  bool stored = false;
  static constexpr std::size_t kAhead = 8;
  for (std::size_t i = 0; i < command.items.size(); ++i) {
    if (i + kAhead < command.items.size()) s.jobs.prefetch(command.items[i + kAhead].id);
    const SubmitItem& item = command.items[i];
    const ItemReply reply = s.submit_one(command, item, found, now, out);
    const bool about_a_job = reply.code == Code::ok || reply.code == Code::duplicate || reply.code == Code::conflict;
    stored = stored || (about_a_job && reply.durability != Durability::memory);
    out.item_replies.push_back(reply);
  }
  for (const std::uint32_t shape : s.shape_of_shared) {
    if (shape != kNone) s.release_shape(shape);
  }
  out.messages.push_back(Message{
      !stored, ItemReplies{command.client, command.request, {first, static_cast<std::uint32_t>(command.items.size())}}});
}

ItemReply Core::State::submit_one(const Submit& command, const SubmitItem& item, const FoundJobs& found, Now now,
                                  Effects& out) {
  static constexpr std::string_view kOtherContent =
      "this id was accepted before with other content; use a new id for a new job";
  if (const JobIndex known = jobs.find(item.id); known != kNone) {
    if (jobs[known].content_hash != item.content_hash) return reply_of(known, Code::conflict, kOtherContent, now);
    ++counters.duplicates;
    return reply_of(known, Code::duplicate, {}, now);
  }
  if (const FinishedJob* finished = found.find(item.id); finished != nullptr) {
    ItemReply reply;
    reply.state = finished->outcome.state;
    reply.durability = finished->job.shared == nullptr ? Durability::fsync : finished->job.shared->policy.durability;
    reply.id = item.id;
    reply.created_at = finished->job.created_at;
    reply.code = Code::duplicate;
    if (finished->job.content_hash != item.content_hash) {
      reply.code = Code::conflict;
      reply.reason = kOtherContent;
    } else {
      ++counters.duplicates;
    }
    return reply;
  }
  const SubmitShared& shared = command.shared[item.shared];
  if (auto refused = refuse_new(shared, item, now)) return *refused;
  if (!item.key.empty()) {
    if (auto held = answer_by_key(shared, item, now)) {
      if (held->code == Code::duplicate) ++counters.duplicates;
      return *held;
    }
  }
  return accept(command, item, now, out);
}

std::optional<ItemReply> Core::State::refuse_new(const SubmitShared& shared, const SubmitItem& item, Now now) const {
  if (!is_job_id(item.id)) {
    return refusal(Code::bad_message, item.id, "the id is not a UUIDv7; make ids with the client library or 'rota id'");
  }
  const Slot slot = slot_of(item.id);
  const std::uint32_t queue = shapes.find_queue(shared.record.queue);
  const Slot wanted = queue == kNone ? slot_of_queue(shared.record.queue) : shapes.queue(queue).slot;
  if (slot != wanted) {
    return refusal(Code::bad_message, item.id,
                   "the id was made for another queue; make ids for this one with the client library or 'rota id --queue'");
  }
  if (slot < options.first_slot || slot > options.last_slot) {
    return refusal(Code::moved, item.id, "another broker owns this queue; submit it there");
  }
  const Wall clock = id_clock(now);
  const Wall made = time_of(item.id);
  if (made < clock - options.dedup_window) {
    return refusal(
        Code::gone, item.id,
        "this id is older than the dedup window, so whether its job ran before is not known any more; use a new id");
  }
  if (made > clock + limits::kMaxIdAhead) {
    return refusal(Code::bad_message, item.id,
                   "this id's time is over a minute ahead of the broker's clock; correct the clock that made it");
  }
  return std::nullopt;
}

std::optional<ItemReply> Core::State::answer_by_key(const SubmitShared& shared, const SubmitItem& item, Now now) const {
  const std::uint32_t queue = shapes.find_queue(shared.record.queue);
  const std::uint32_t held = queue == kNone ? kNone : keys.find(queue, item.key);
  if (held == kNone) return std::nullopt;
  const KeyTable::Record& key = keys[held];
  ItemReply reply;
  if (key.job != kNone) {
    reply = reply_of(key.job, Code::duplicate, {}, now);
  } else {
    reply.code = Code::duplicate;
    reply.state = key.state;
    reply.durability = key.durability;
    reply.id = key.id;
    reply.created_at = key.created_at;
  }
  if (reply.durability == Durability::memory && shared.record.policy.durability != Durability::memory) {
    reply.code = Code::conflict;
    reply.reason = "a job with a weaker durability holds this key; wait for that one, or submit with its durability";
  }
  return reply;
}

ItemReply Core::State::accept(const Submit& command, const SubmitItem& item, Now now, Effects& out) {
  const SubmitShared& shared = command.shared[item.shared];
  std::uint32_t& shape = shape_of_shared[item.shared];
  if (shape == kNone) {
    // One use for the command itself, so that the shape outlives it.
    shape = intern_shape(shared.record);
    if (shape == kNone) return refusal(Code::too_large, item.id, shapes.why_refused(shared.record));
  }
  shapes.add_job(shape);

  JobRecord job;
  job.sequence = next_sequence++;
  job.id = item.id;
  job.content_hash = item.content_hash;
  job.created_at = now.wall;
  job.run_at = now.wall;
  job.priority = shared.priority;
  job.key = item.key;
  job.shared = &shared.record;
  job.body = item.body;
  JobState state = JobState::ready;
  Into into;
  if (shared.run_at.ms > now.wall.ms) {
    state = JobState::scheduled;
    job.run_at = shared.run_at;
    job.run_at_named = true;
    into = {shared.run_at.ms, true, kNoSession};
  } else if (shared.delay.count() > 0) {
    state = JobState::scheduled;
    job.run_at = now.wall + shared.delay;
    into = {(now.steady + shared.delay).ms, false, kNoSession};
  }
  if (shared.expires.count() > 0) job.expires_at = now.wall + shared.expires;
  const JobIndex index = begin(job, shape, item.body.size(), state, into);
  if (shared.expires.count() > 0) arm_expiry(index, now.steady + shared.expires);
  if (!item.key.empty()) {
    const std::uint32_t key = keys.add(class_of(index).queue, item.key);
    keys[key].job = index;
    keys.hold(key);
    jobs.ensure_detail(index).key = key;
  }
  emit(index, JobAccepted{job}, out);
  ++counters.accepted;
  QueueState& queue = queue_of(index);
  ++queue.accepted;
  queue.submits.add(now.steady);
  return reply_of(index, Code::ok, {}, now);
}

}  // namespace rota::queue

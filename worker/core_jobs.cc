// Jobs that are held or run: starting, handing back, stopping.
#include <algorithm>
#include <utility>

#include "common/base/check.h"
#include "worker/core.h"
#include "worker/core_entry.h"

namespace rota::worker {

void Core::dispatched(std::unique_ptr<Batch> batch, Steady now, Actions& out) {
  if (phase_ != Phase::attached) return;  // not asked for; the next HELLO reconciles
  heard_at_ = now;
  const std::shared_ptr<Batch> shared{std::move(batch)};
  shared->types.clear();
  for (const wire::DispatchShared& part : shared->dispatch.shared) {
    const auto known = std::find_if(identity_.types.begin(), identity_.types.end(),
                                    [&](const ServedType& type) { return type.name == part.type; });
    shared->types.push_back(known == identity_.types.end() ? Batch::kNoType
                                                           : static_cast<std::uint32_t>(known - identity_.types.begin()));
  }
  if (held_count_ == 0) last_start_ = now;
  for (std::uint32_t at = 0; at < shared->dispatch.items.size(); ++at) {
    const wire::DispatchItem& item = shared->dispatch.items[at];
    const std::uint32_t index = take_entry();
    Entry& entry = entries_[index];
    entry.state = State::held;
    entry.job = {item.id, {shared->dispatch.epoch, item.dispatch}};
    entry.batch = shared;
    entry.item = at;
    entry.type = shared->types[item.shared];
    entry.arrived = now;
    if (item.expires_in.count() > 0) entry.expires_at = now + item.expires_in;
    ++held_count_;
    held_.push_back(index);
  }
  if (draining_ || killed_) give_back_held(out, true);
}

void Core::start_held(Steady now, Actions& out) {
  if (phase_ != Phase::attached || draining_ || killed_ || gave_up_) return;
  while (!held_.empty() && unacknowledged() < limits::kMaxUnacknowledged) {
    const std::uint32_t index = held_.front();
    Entry& entry = entries_[index];
    if (entry.type == Batch::kNoType || entry.expires_at <= now) {
      held_.pop_front();
      --held_count_;
      Outcome outcome = Outcome::rejection("NO_HANDLER", "this worker does not serve the job's type");
      if (entry.type != Batch::kNoType) outcome = Outcome::ended(AttemptEnd::expired);
      gather(index, std::move(outcome), now);
      continue;
    }
    const std::uint32_t slots = slots_->usable();
    const std::uint32_t ahead = identity_.types[entry.type].killable ? 0 : paces_[entry.type].ahead(slots);
    if (slots_->used >= slots + ahead) break;
    held_.pop_front();
    --held_count_;
    start_one(index, now, out);
  }
  if (held_count_ > 0 && slots_->used >= slots_->usable() && now >= last_start_ + limits::kHoldPatience) {
    // What is held stands behind slow jobs: somebody else may be free. The mean follows, so credit shrinks.
    overall_.still_running(std::chrono::microseconds{now - last_start_}.count());
    give_back_held(out, true);
  }
}

void Core::start_one(std::uint32_t index, Steady now, Actions& out) {
  Entry& entry = entries_[index];
  entry.state = State::started;
  entry.started = now;
  entry.position = static_cast<std::uint32_t>(started_.size());
  started_.push_back(index);
  ++slots_->used;
  last_start_ = now;
  const Millis limit = entry.batch->dispatch.shared[entry.batch->dispatch.items[entry.item].shared].time_limit;
  if (limit.count() > 0) {
    entry.deadline = now + limit;
    ++timed_;
  }
  out.start.push_back(handle_of(index));
}

void Core::give_back_held(Actions& out, bool tell) {
  wire::Released released;
  for (const std::uint32_t index : held_) {
    released.jobs.push_back(entries_[index].job);
    forget(index);
  }
  held_.clear();
  held_count_ = 0;
  if (tell) release(std::move(released), out);
}

void Core::release(wire::Released released, Actions& out) {
  if (released.jobs.empty()) return;
  credit_told_ = released.credit = credit();
  for (std::size_t from = 0; from < released.jobs.size(); from += limits::kMaxBatch) {
    const std::size_t count = std::min(limits::kMaxBatch, released.jobs.size() - from);
    const auto first = released.jobs.begin() + static_cast<std::ptrdiff_t>(from);
    wire::Released part{{first, first + static_cast<std::ptrdiff_t>(count)}, released.credit};
    out.send.push_back({0, std::move(part)});
  }
}

void Core::reclaim(const wire::Reclaim& message, Actions& out) {
  wire::Released released;
  std::vector<std::uint32_t> leaving = find_all(message.jobs);
  std::erase_if(leaving, [&](std::uint32_t index) { return entries_[index].state != State::held; });
  if (leaving.empty()) return;
  for (const std::uint32_t index : leaving) {
    released.jobs.push_back(entries_[index].job);
    entries_[index].state = State::free;
  }
  leave_line(leaving.size());
  for (const std::uint32_t index : leaving) forget(index);
  release(std::move(released), out);
}

void Core::cancel(const wire::CancelJobs& message, Steady now, Actions& out) {
  std::size_t left_line = 0;
  for (const std::uint32_t index : find_all(message.jobs)) {
    if (entries_[index].state == State::held) {
      gather(index, Outcome::ended(AttemptEnd::cancelled), now);
      ++left_line;
    } else if (entries_[index].state == State::started) {
      stop_running(index, StopReason::cancelled, now, out);
    }
  }
  leave_line(left_line);
}

void Core::leave_line(std::size_t count) {
  if (count == 0) return;
  std::erase_if(held_, [&](std::uint32_t index) { return entries_[index].state != State::held; });
  held_count_ -= static_cast<std::uint32_t>(count);
}

void Core::stop_running(std::uint32_t index, StopReason reason, Steady now, Actions& out) {
  Entry& entry = entries_[index];
  if (entry.stop != StopReason::none) return;
  const bool was_timed = entry.timed();
  entry.stop = reason;
  const bool killable = identity_.types[entry.type].killable;
  const bool force = killable && reason != StopReason::cancelled && reason != StopReason::superseded;
  // A command that was asked politely is killed after the grace. A handler can only be written off, and only its time
  // limit does that.
  if ((killable && !force) || (!killable && reason == StopReason::time_limit)) {
    entry.stop_deadline = now + limits::kStopGrace;
  }
  entry.deadline = kNeverSteady;
  if (was_timed && !entry.timed()) --timed_;
  if (!was_timed && entry.timed()) ++timed_;
  out.stop.push_back({handle_of(index), reason, force});
}

void Core::watch_running(Steady now, Actions& out) {
  if (timed_ == 0) return;
  for (std::size_t at = started_.size(); at-- > 0;) {
    const std::uint32_t index = started_[at];
    Entry& entry = entries_[index];
    if (entry.deadline <= now) {
      stop_running(index, StopReason::time_limit, now, out);
    } else if (entry.stop_deadline <= now) {
      if (identity_.types[entry.type].killable) {
        out.stop.push_back({handle_of(index), entry.stop, true});
        entry.stop_deadline = kNeverSteady;
        if (!entry.timed()) --timed_;
      } else {
        write_off(index, now);
      }
    }
  }
  if (slots_->written_off > 0 && slots_->written_off * 2 >= slots_->total && !ending_wanted_) {
    ending_wanted_ = Ending{Ending::Kind::broken, Code::internal,
                            "half of the slots are taken by handlers that ignored the end of their time limit"};
    out.notices.push_back({Notice::Kind::trouble, ending_wanted_->message + "; draining"});
    draining_ = true;
  }
}

void Core::write_off(std::uint32_t index, Steady now) {
  Entry& entry = entries_[index];
  leave_started(index);
  entry.deadline = entry.stop_deadline = kNeverSteady;
  ++slots_->written_off;
  stuck_.emplace_back(handle_of(index), entry.batch);
  if (entry.disowned) {
    forget(index);
    return;
  }
  Outcome outcome = Outcome::failure("TIMED_OUT", "the handler ran past the job's time limit and ignored the stop request");
  outcome.end = AttemptEnd::timed_out;
  gather(index, std::move(outcome), now);
}

}  // namespace rota::worker

#include "worker/core.h"

#include <algorithm>
#include <cmath>
#include <unordered_map>
#include <utility>

#include "common/base/check.h"
#include "common/base/names.h"
#include "worker/core_entry.h"

namespace rota::worker {
namespace {

// The message of an outcome must be clean text: a handler's may hold anything.
void make_clean(std::string& text, std::size_t most) {
  if (text.size() > most) text.resize(most);
  if (is_valid_text(text, most)) return;
  for (char& c : text) {
    if (c < 0x20 || c == 0x7F) c = c == '\n' || c == '\t' ? ' ' : '?';
  }
}

}  // namespace

void Actions::clear() {
  send.clear();
  start.clear();
  stop.clear();
  notices.clear();
  reconnect = false;
}

Core::Core(Identity identity, Slots& slots, Prng prng)
    : identity_(std::move(identity)), slots_(&slots), prng_(prng), paces_(identity_.types.size()) {}
Core::~Core() = default;

std::uint32_t Core::take_entry() {
  if (free_.empty()) {
    entries_.emplace_back();
    return static_cast<std::uint32_t>(entries_.size() - 1);
  }
  const std::uint32_t index = free_.back();
  free_.pop_back();
  return index;
}

void Core::forget(std::uint32_t index) {
  Entry& entry = entries_[index];
  const std::uint32_t generation = entry.generation + 1;
  entry = Entry{};
  entry.generation = generation;
  free_.push_back(index);
}

Core::Entry* Core::find(Handle job) {
  if (job.index >= entries_.size()) return nullptr;
  Entry& entry = entries_[job.index];
  return entry.generation == job.generation && entry.state != State::free ? &entry : nullptr;
}

Handle Core::handle_of(std::uint32_t index) const { return {index, entries_[index].generation}; }

std::vector<std::uint32_t> Core::find_all(const std::vector<wire::TokenOf>& tokens) const {
  std::unordered_map<std::uint64_t, std::uint32_t> wanted;
  for (std::uint32_t at = 0; at < tokens.size(); ++at) wanted.emplace(tokens[at].token.dispatch, at);
  std::vector<std::uint32_t> found;
  for (std::uint32_t index = 0; index < entries_.size(); ++index) {
    const Entry& entry = entries_[index];
    if (entry.state == State::free) continue;
    const auto match = wanted.find(entry.job.token.dispatch);
    if (match != wanted.end() && tokens[match->second].token == entry.job.token) found.push_back(index);
  }
  return found;
}

void Core::leave_started(std::uint32_t index) {
  Entry& entry = entries_[index];
  ROTA_CHECK(entry.state == State::started && started_[entry.position] == index);
  const std::uint32_t last = started_.back();
  started_[entry.position] = last;
  entries_[last].position = entry.position;
  started_.pop_back();
  if (entry.timed()) --timed_;
  ROTA_CHECK(slots_->used > 0);
  --slots_->used;
}

void Core::gather(std::uint32_t index, Outcome outcome, Steady now) {
  Entry& entry = entries_[index];
  entry.state = State::gathered;
  entry.batch.reset();
  entry.outcome = std::move(outcome);
  make_clean(entry.outcome.error_message, limits::kMaxErrorMessage);
  make_clean(entry.outcome.error_code, limits::kMaxQueueName);
  if (entry.outcome.stderr_tail.size() > limits::kMaxStderrTail) {
    entry.outcome.stderr_tail.erase(0, entry.outcome.stderr_tail.size() - limits::kMaxStderrTail);
  }
  if (gathered_.empty()) gathered_at_ = now;
  gathered_.push_back(index);
}

void Core::begun(Handle job) {
  if (const Entry* entry = find(job)) started_through_ = std::max(started_through_, entry->job.token.dispatch);
}

void Core::finished(Handle job, Outcome outcome, std::int64_t run_us, Steady now) {
  const auto stuck = std::find_if(stuck_.begin(), stuck_.end(), [&](const auto& one) { return one.first == job; });
  if (stuck != stuck_.end()) {  // reported long ago; its thread is free again
    stuck_.erase(stuck);
    ROTA_CHECK(slots_->written_off > 0);
    --slots_->written_off;
    return;
  }
  Entry* entry = find(job);
  if (entry == nullptr || entry->state != State::started) return;
  begun(job);
  leave_started(job.index);
  paces_[entry->type].ran(run_us);
  overall_.ran(run_us);
  if (entry->disowned) {
    forget(job.index);
    return;
  }
  if (outcome.end != AttemptEnd::succeeded) {
    if (entry->stop == StopReason::cancelled) outcome.end = AttemptEnd::cancelled;
    if (entry->stop == StopReason::lost_contact || entry->stop == StopReason::killed) outcome.end = AttemptEnd::lost;
    if (entry->stop == StopReason::time_limit) {
      outcome.end = AttemptEnd::timed_out;
      outcome.error_code = "TIMED_OUT";
      outcome.error_message = "the job ran past its time limit and was stopped";
    }
  }
  gather(job.index, std::move(outcome), now);
}

void Core::progress(Handle job, double fraction, std::string message, Steady now) {
  if (message.size() > limits::kMaxProgressMessage) message.resize(limits::kMaxProgressMessage);
  make_clean(message, limits::kMaxProgressMessage);
  // A handler's 0/0: the broker would refuse the whole RENEW, and no lease would be renewed.
  fraction = std::isnan(fraction) ? 0.0 : std::clamp(fraction, 0.0, 1.0);
  for (Progress& known : progress_) {
    if (known.job == job) {
      known.fraction = fraction;
      known.message = std::move(message);
      return;
    }
  }
  progress_.push_back({job, fraction, std::move(message)});
  renew_at_ = std::min(renew_at_, std::max(now, renewed_at_ + limits::kProgressInterval));
}

Assignment Core::assignment(Handle job) const {
  const Entry& entry = entries_[job.index];
  ROTA_CHECK(entry.generation == job.generation && entry.batch != nullptr);
  return {entry.batch.get(), entry.item};
}

std::uint32_t Core::credit() const {
  if (draining_ || killed_) return 0;
  const std::uint32_t slots = slots_->usable();
  return std::min(slots + overall_.prefetch(slots), limits::kMaxCredit);
}

void Core::turn(Steady now, Actions& out) {
  if (phase_ == Phase::ended) return;
  watch_connection(now, out);
  watch_running(now, out);
  start_held(now, out);
  // A job that may outlast the flush interval must not hold up what was finished before it.
  const bool before_long = std::any_of(out.start.begin(), out.start.end(),
                                       [&](Handle job) { return !paces_[entries_[job.index].type].is_short(); });
  if (flush_due(now) || (before_long && phase_ == Phase::attached && !gathered_.empty())) flush(now, out);
  renew(now, out);
  leave(now, out);
}

Steady Core::next_deadline() const {
  Steady next = kNeverSteady;
  const auto by = [&next](Steady at) { next = std::min(next, at); };
  if (phase_ == Phase::ended) return next;
  if (phase_ == Phase::waiting) by(reconnect_at_);
  if (phase_ == Phase::greeting) by(hello_at_ + limits::kHelloPatience);
  if (!was_attached_ && !told_waiting_) by(begun_at_ + Millis{1000});
  if (phase_ == Phase::attached) {
    by(renew_at_);
    by(heard_at_ + lease_ * 2 / 3);
    if (!in_flight_.empty()) by(in_flight_.front().sent + lease_);
    if (!gathered_.empty()) by(std::max(gathered_at_ + limits::kFlushInterval, flush_not_before_));
    if (held_count_ > 0) by(last_start_ + limits::kHoldPatience);
  }
  if (was_attached_ && !gave_up_) by(lease_from_ + lease_ * 8 / 10);
  if (timed_ > 0) {
    for (const std::uint32_t index : started_) by(std::min(entries_[index].deadline, entries_[index].stop_deadline));
  }
  by(kill_until_);
  return next;
}

void Core::check_invariants() const {
  std::size_t held = 0, started = 0, gathered = 0, in_flight = 0, timed = 0;
  for (const Entry& entry : entries_) {
    held += entry.state == State::held ? 1 : 0;
    started += entry.state == State::started ? 1 : 0;
    gathered += entry.state == State::gathered ? 1 : 0;
    in_flight += entry.state == State::in_flight ? 1 : 0;
    timed += entry.state == State::started && entry.timed() ? 1 : 0;
    ROTA_CHECK((entry.state == State::held || entry.state == State::started) == (entry.batch != nullptr));
  }
  ROTA_CHECK(held == held_count_ && started == started_.size() && gathered == gathered_.size());
  ROTA_CHECK(in_flight == in_flight_count_ && timed == timed_ && slots_->used >= started_.size());
}

}  // namespace rota::worker

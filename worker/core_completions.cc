// Finished jobs on their way to the broker: gathered, sent, acknowledged, sent again.
#include <algorithm>
#include <utility>

#include "common/base/check.h"
#include "worker/core.h"
#include "worker/core_entry.h"
#include "worker/spawner/capture.h"

namespace rota::worker {
namespace {

std::size_t bytes_of(const Outcome& outcome) {
  return 128 + outcome.result.size() + outcome.error_message.size() + outcome.stderr_tail.size();
}

}  // namespace

bool Core::flush_due(Steady now) const {
  if (gathered_.empty() || phase_ != Phase::attached || now < flush_not_before_) return false;
  // Nothing to wait for: an empty line behind it, or nothing else running.
  if (held_count_ == 0 || started_.empty() || draining_ || killed_) return true;
  return gathered_.size() >= limits::kFlushBatch || now >= gathered_at_ + limits::kFlushInterval;
}

wire::CompleteItem Core::completion(Entry& entry, Steady now) const {
  Outcome& outcome = entry.outcome;
  if (outcome.result.size() > max_result_ && identity_.types[entry.type].killable) {
    // Output is cut to what the broker takes when it is captured; this broker takes less than it did then, or less than the
    // line that says what is missing. A command that has done its work does not fail for that.
    spawner::cut_middle(outcome.result, max_result_);
    outcome.result.resize(std::min<std::size_t>(outcome.result.size(), max_result_));
  }
  if (outcome.result.size() > max_result_) {
    outcome = Outcome::rejection("RESULT_TOO_LARGE", "the result has " + std::to_string(outcome.result.size()) +
                                                         " bytes; the broker takes " + std::to_string(max_result_) +
                                                         " (its --max-payload)");
  }
  wire::CompleteItem item;
  item.job = entry.job;
  item.end = outcome.end;
  item.started_ago = entry.started.ms == 0 ? Millis{0} : std::max(now - entry.started, Millis{0});
  item.report.exit_code = outcome.exit_code;
  item.report.signal = outcome.signal;
  item.report.error_code = outcome.error_code;
  item.report.error_message = outcome.error_message;
  item.report.result = outcome.result;
  item.report.stderr_tail = outcome.stderr_tail;
  return item;
}

void Core::flush(Steady now, Actions& out) {
  // Half of what the broker takes: room for what frames add.
  const std::size_t most_bytes = std::max<std::size_t>(max_message_ / 2, 1);
  std::size_t at = 0;
  while (at < gathered_.size()) {
    InFlight group;
    group.request = next_request_++;
    group.sent = now;
    wire::Complete complete;
    complete.started_through = started_through_;
    credit_told_ = complete.credit = credit();
    std::size_t bytes = 0;
    while (at < gathered_.size() && complete.items.size() < limits::kMaxBatch) {
      Entry& entry = entries_[gathered_[at]];
      const std::size_t more = bytes_of(entry.outcome);
      if (!complete.items.empty() && (bytes + more > most_bytes || send_single_)) break;
      bytes += more;
      complete.items.push_back(completion(entry, now));
      entry.state = State::in_flight;
      group.jobs.push_back(gathered_[at++]);
    }
    in_flight_count_ += group.jobs.size();
    out.send.push_back({group.request, std::move(complete)});
    in_flight_.push_back(std::move(group));
  }
  gathered_.clear();
  send_single_ = false;
}

void Core::acknowledged(wire::Request request, const std::vector<Code>& codes) {
  const auto group =
      std::find_if(in_flight_.begin(), in_flight_.end(), [&](const InFlight& one) { return one.request == request; });
  if (group == in_flight_.end() || codes.size() != group->jobs.size()) return;
  // OK, STALE and GONE alike: the broker has decided, nothing more can be done about it here.
  in_flight_count_ -= group->jobs.size();
  for (const std::uint32_t index : group->jobs) forget(index);
  in_flight_.erase(group);
}

void Core::completion_refused(InFlight group, const wire::ErrorReply& error, Steady now) {
  in_flight_count_ -= group.jobs.size();
  const bool for_now = is_retryable(error.code);
  if (for_now) flush_not_before_ = now + std::max(error.retry_after, limits::kRetryLaterHint);
  // Refused for good: find the one it is about by sending each alone, then report that one without its contents.
  if (!for_now && group.jobs.size() > 1) send_single_ = true;
  for (const std::uint32_t index : group.jobs) {
    Entry& entry = entries_[index];
    if (!for_now && group.jobs.size() == 1) {
      if (entry.refused_once) {
        forget(index);
        continue;
      }
      entry.refused_once = true;
      entry.outcome = Outcome::rejection("REPORT_REFUSED", "the broker refused the report of this run");
    }
    entry.state = State::gathered;
    if (gathered_.empty()) gathered_at_ = now;
    gathered_.push_back(index);
  }
}

void Core::take_back_in_flight() {
  std::vector<std::uint32_t> all;
  for (const InFlight& group : in_flight_) all.insert(all.end(), group.jobs.begin(), group.jobs.end());
  for (const std::uint32_t index : all) entries_[index].state = State::gathered;
  all.insert(all.end(), gathered_.begin(), gathered_.end());
  gathered_ = std::move(all);
  in_flight_.clear();
  in_flight_count_ = 0;
}

void Core::drop_gathered(const std::vector<std::uint32_t>& leaving) {
  for (const std::uint32_t index : leaving) entries_[index].state = State::free;
  if (!leaving.empty()) {
    std::erase_if(gathered_, [&](std::uint32_t index) { return entries_[index].state != State::gathered; });
  }
  for (const std::uint32_t index : leaving) forget(index);
}

}  // namespace rota::worker

#include "broker/queue/survey.h"

#include <algorithm>
#include <functional>

#include "broker/queue/core_state.h"

namespace rota::queue {

void Survey::offer(const JobId& id) {
  if (best_.size() == filter_.most) {
    cut_ = true;
    if (id < best_.front()) return;
    std::pop_heap(best_.begin(), best_.end(), std::greater<>());
    best_.pop_back();
  }
  best_.push_back(id);
  std::push_heap(best_.begin(), best_.end(), std::greater<>());
}

void Survey::begin(const JobTable& jobs) {
  begun_ = true;
  for (std::uint32_t chunk = 0; chunk < jobs.chunks(); ++chunk) {
    const JobTable::Span& span = jobs.span(chunk);
    if (span.newest < filter_.since || span.newest < time_of(filter_.from)) continue;
    if (!filter_.below.is_nil() && span.oldest > time_of(filter_.below)) continue;
    chunks_.push_back(chunk);
  }
  std::sort(chunks_.begin(), chunks_.end(),
            [&jobs](std::uint32_t a, std::uint32_t b) { return jobs.span(a).newest < jobs.span(b).newest; });
}

std::vector<JobId> Survey::take() {
  std::sort(best_.begin(), best_.end(), std::greater<>());
  return std::move(best_);
}

void Core::survey(Survey& survey) {
  State& s = *state_;
  if (!survey.begun_) survey.begin(s.jobs);
  const SurveyFilter& filter = survey.filter_;
  const bool full = filter.most > 0 && survey.best_.size() == filter.most;
  if (!survey.chunks_.empty() && full && s.jobs.span(survey.chunks_.back()).newest < time_of(survey.best_.front())) {
    survey.cut_ = true;  // older ones match, or may
    survey.chunks_.clear();
  }
  // Names may come to be known between two slices.
  const std::uint32_t queue = filter.queue.empty() ? kNone : s.shapes.find_queue(filter.queue);
  const std::uint32_t type = filter.type.empty() ? kNone : s.shapes.find_type(filter.type);
  if ((queue == kNone && !filter.queue.empty()) || (type == kNone && !filter.type.empty())) survey.chunks_.clear();
  if (survey.chunks_.empty()) {
    survey.done_ = true;
    return;
  }
  JobTable::Span seen;
  s.jobs.each_in(survey.chunks_.back(), [&](JobIndex job) {
    const JobEntry& entry = s.jobs[job];
    const Wall made = time_of(entry.id);
    seen.oldest = std::min(seen.oldest, made);
    seen.newest = std::max(seen.newest, made);
    if ((filter.states & state_bit(entry.state)) == 0 || made < filter.since) return;
    if (entry.id < filter.from || (!filter.below.is_nil() && entry.id >= filter.below)) return;
    const DispatchClass& in = s.class_of(job);
    if ((queue != kNone && in.queue != queue) || (type != kNone && in.type != type) || s.is_forgotten(job)) return;
    survey.offer(entry.id);
  });
  // Its places may have been used again: what was known of it is wider.
  s.jobs.set_span(survey.chunks_.back(), seen);
  survey.chunks_.pop_back();
}

bool Core::knows_queue(std::string_view queue) const { return state_->shapes.find_queue(queue) != kNone; }

}  // namespace rota::queue

#include "broker/queue/rate.h"

#include <algorithm>
#include <utility>

namespace rota::queue {

void Rate::roll(Steady now) {
  const std::int64_t passed = end_ == INT64_MIN ? INT64_MAX : (now.ms - end_) / kSecond + 1;
  if (passed > static_cast<std::int64_t>(kSeconds)) {
    past_ = {};
    current_ = 0;
    began_ = now.ms;
    end_ = now.ms + kSecond;
    return;
  }
  for (std::int64_t i = 0; i < passed; ++i) {
    past_[at_] = std::exchange(current_, 0);
    at_ = static_cast<std::uint32_t>((at_ + 1) % kSeconds);
  }
  end_ += passed * kSecond;
}

double Rate::per_second(Steady now) const {
  if (end_ == INT64_MIN) return 0;
  Rate seen = *this;
  if (now.ms >= end_) seen.roll(now);
  std::uint64_t events = seen.current_;
  for (const std::uint32_t one : seen.past_) events += one;
  // From the start of the oldest second that is counted; a first second that has only begun counts as a whole one.
  const std::int64_t from = std::max(seen.began_, seen.end_ - static_cast<std::int64_t>(kSeconds + 1) * kSecond);
  const std::int64_t took = std::max(now.ms - from, kSecond);
  return static_cast<double>(events) * static_cast<double>(kSecond) / static_cast<double>(took);
}

}  // namespace rota::queue

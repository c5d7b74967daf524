#include "worker/pace.h"

#include <algorithm>
#include <chrono>

namespace rota::worker {
namespace {

constexpr double kWeight = 1.0 / 8;         // of the newest run in the mean: eight runs change it
constexpr double kShareWeight = 1.0 / 128;  // in the shares: one slow run in a hundred must show
constexpr double kNearlyAlways = 0.02;
constexpr std::uint64_t kProof = 64;  // runs before anything is called short
constexpr std::int64_t kFlushUs = std::chrono::microseconds{limits::kFlushInterval}.count();
constexpr std::int64_t kHorizonUs = std::chrono::microseconds{limits::kPrefetchHorizon}.count();
constexpr std::int64_t kAheadUs = 400;  // what a wake-up there and back may take on a busy machine

double moved(double from, double to, double weight) { return from + (to - from) * weight; }

}  // namespace

void Pace::ran(std::int64_t us) {
  const auto run = static_cast<double>(std::max<std::int64_t>(us, 0));
  // The first runs are averaged plainly, so that the shares need no other start value.
  const double first = 1.0 / static_cast<double>(runs_ + 1);
  mean_us_ = moved(mean_us_, run, std::max(kWeight, first));
  slow_share_ = moved(slow_share_, us > limits::kInlineRunUs ? 1 : 0, std::max(kShareWeight, first));
  very_slow_share_ = moved(very_slow_share_, us > kFlushUs ? 1 : 0, std::max(kShareWeight, first));
  ++runs_;
}

void Pace::still_running(std::int64_t us) {
  if (static_cast<double>(us) > mean_us_) mean_us_ = static_cast<double>(us);
}

bool Pace::is_short() const {
  return runs_ >= kProof && very_slow_share_ < kNearlyAlways && mean_us_ < static_cast<double>(kFlushUs);
}

bool Pace::is_tiny() const {
  return runs_ >= kProof && slow_share_ < kNearlyAlways && mean_us_ < static_cast<double>(limits::kInlineRunUs);
}

std::uint32_t Pace::prefetch(std::uint32_t slots) const {
  if (runs_ == 0) return 0;
  const std::uint64_t each =
      static_cast<std::uint64_t>(kHorizonUs) / static_cast<std::uint64_t>(std::max<std::int64_t>(mean_us(), 1));
  const std::uint64_t within = std::min<std::uint64_t>(each * slots, limits::kMaxCredit);
  // A single short run proves little: the prefetch grows with the number of runs, which doubles it each round.
  return static_cast<std::uint32_t>(std::min<std::uint64_t>(within, runs_ * 2));
}

std::uint32_t Pace::ahead(std::uint32_t slots) const {
  if (!is_short()) return 0;
  const std::uint64_t each =
      static_cast<std::uint64_t>(kAheadUs) / static_cast<std::uint64_t>(std::max<std::int64_t>(mean_us(), 1));
  return static_cast<std::uint32_t>(std::min<std::uint64_t>((each + 1) * slots, limits::kMaxStartAhead));
}

}  // namespace rota::worker

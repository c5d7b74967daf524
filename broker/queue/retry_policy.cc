#include "broker/queue/retry_policy.h"

#include <algorithm>
#include <cmath>

namespace rota::queue {
namespace {

constexpr double kLeast = 0.8;
constexpr double kMost = 1.2;

// Milliseconds, before they are spread.
double plain_backoff(const Policy& policy, std::uint32_t failures) {
  const double factor = static_cast<double>(policy.backoff_factor_milli) / 1000.0;
  const double most = static_cast<double>(std::max(policy.backoff_max, Millis{0}).count());
  const double steps = failures == 0 ? 0.0 : static_cast<double>(failures - 1);
  // pow() may be infinite; min() brings it back.
  return std::min(static_cast<double>(policy.backoff.count()) * std::pow(factor, steps), most);
}

Millis bounded(double ms) {
  return Millis{static_cast<std::int64_t>(std::min(ms, static_cast<double>(limits::kMaxDuration.count())))};
}

}  // namespace

Millis backoff_after(const Policy& policy, std::uint32_t failures, Prng& random) {
  if (policy.backoff.count() <= 0) return Millis{0};
  return bounded(plain_backoff(policy, failures) * (kLeast + (kMost - kLeast) * random.unit()));
}

Millis longest_backoff(const Policy& policy, std::uint32_t failures) {
  return policy.backoff.count() <= 0 ? Millis{0} : bounded(plain_backoff(policy, failures) * kMost);
}

}  // namespace rota::queue

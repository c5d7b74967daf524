#include "broker/queue/retry_policy.h"

#include <algorithm>
#include <cmath>

namespace rota::queue {

Millis backoff_after(const Policy& policy, std::uint32_t failures, Prng& random) {
  if (policy.backoff.count() <= 0) return Millis{0};
  const double factor = static_cast<double>(policy.backoff_factor_milli) / 1000.0;
  const double most = static_cast<double>(std::max(policy.backoff_max, Millis{0}).count());
  const double steps = failures == 0 ? 0.0 : static_cast<double>(failures - 1);
  // pow() may be infinite; min() brings it back.
  const double plain = std::min(static_cast<double>(policy.backoff.count()) * std::pow(factor, steps), most);
  const double spread = plain * (0.8 + 0.4 * random.unit());
  const double bounded = std::min(spread, static_cast<double>(limits::kMaxDuration.count()));
  return Millis{static_cast<std::int64_t>(bounded)};
}

}  // namespace rota::queue

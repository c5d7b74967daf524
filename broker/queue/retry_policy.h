#pragma once

#include "broker/queue/record.h"
#include "common/base/prng.h"

namespace rota::queue {

// The wait before the next attempt after the `failures`-th failure (1 is the first): backoff x factor^(failures-1), at most
// backoff_max, then spread by ±20 % so that jobs that failed together do not come back together. 0 if backoff is 0.
[[nodiscard]] Millis backoff_after(const Policy& policy, std::uint32_t failures, Prng& random);
// No wait after that failure is longer.
[[nodiscard]] Millis longest_backoff(const Policy& policy, std::uint32_t failures);

}  // namespace rota::queue

#include "broker/queue/retry_policy.h"

#include <gtest/gtest.h>

namespace rota::queue {
namespace {

TEST(Backoff, GrowsByTheFactorWithinTwentyPercent) {
  Prng random(1);
  Policy policy;
  policy.backoff = Millis{1000};
  for (int i = 0; i < 1000; ++i) {
    EXPECT_NEAR(static_cast<double>(backoff_after(policy, 1, random).count()), 1000, 200);
    EXPECT_NEAR(static_cast<double>(backoff_after(policy, 4, random).count()), 8000, 1600);
  }
}

TEST(Backoff, StaysBelowItsMaximumAfterAnyNumberOfFailures) {
  Prng random(1);
  Policy policy;
  policy.backoff_max = Millis{60'000};
  for (const std::uint32_t failures : {10U, 1000U, limits::kMaxRetries, UINT32_MAX}) {
    const Millis wait = backoff_after(policy, failures, random);
    EXPECT_GE(wait.count(), 48'000);
    EXPECT_LE(wait.count(), 72'000);
  }
}

TEST(Backoff, NoneMeansAtOnce) {
  Prng random(1);
  Policy policy;
  policy.backoff = Millis{0};
  EXPECT_EQ(backoff_after(policy, 5, random).count(), 0);
}

TEST(Backoff, DoesNotComeTogether) {
  Prng random(1);
  const Millis first = backoff_after(Policy{}, 1, random);
  EXPECT_NE(first, backoff_after(Policy{}, 1, random));
}

}  // namespace
}  // namespace rota::queue

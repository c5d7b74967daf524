#include <gtest/gtest.h>

#include "broker/store/grace.h"

namespace rota::store {
namespace {

constexpr Wall kStart{1'800'000'000'000};

TEST(ForgetClock, RunsWithTheClockWhileItIsLookedAtOften) {
  ForgetClock clock;
  for (Wall now = kStart; now < kStart + Millis{60'000}; now = now + Millis{500}) EXPECT_EQ(clock.advance(now), now);
}

// A retry that was decided before a stall is committed after it: until then its job must not go.
TEST(ForgetClock, StandsStillForAGraceAfterAStall) {
  ForgetClock clock;
  (void)clock.advance(kStart);
  Wall now = kStart + limits::kForgetGap + Millis{6000};
  EXPECT_EQ(clock.advance(now), kStart);
  for (Millis passed{0}; passed + Millis{500} < limits::kDropGrace; passed += Millis{500}) {
    now = now + Millis{500};
    EXPECT_EQ(clock.advance(now), kStart);
  }
  now = now + Millis{500};
  EXPECT_EQ(clock.advance(now), now);
}

TEST(ForgetClock, SecondStallBeginsTheGraceAnew) {
  ForgetClock clock;
  (void)clock.advance(kStart);
  Wall now = kStart + Millis{10'000};
  (void)clock.advance(now);
  now = now + Millis{1000};
  (void)clock.advance(now);
  now = now + Millis{10'000};
  EXPECT_EQ(clock.advance(now), kStart);
  now = now + Millis{1500};
  EXPECT_EQ(clock.advance(now), kStart);
}

TEST(ForgetClock, NeverGoesBack) {
  ForgetClock clock;
  (void)clock.advance(kStart);
  EXPECT_EQ(clock.advance(kStart - Millis{5000}), kStart);
}

}  // namespace
}  // namespace rota::store

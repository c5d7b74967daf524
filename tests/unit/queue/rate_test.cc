#include "broker/queue/rate.h"

#include <gtest/gtest.h>

namespace rota::queue {
namespace {

Steady at(std::int64_t ms) { return Steady{1'000'000 + ms}; }

// `per_second` events a second, evenly, from `from` until before `to`.
void run(Rate& rate, std::int64_t from, std::int64_t to, std::int64_t per_second) {
  for (std::int64_t ms = from; ms < to; ms += 1000 / per_second) rate.add(at(ms));
}

TEST(Rate, IsZeroBeforeAnythingHappened) { EXPECT_EQ(0, Rate{}.per_second(at(0))); }

TEST(Rate, AFirstSecondThatHasOnlyBegunCountsAsAWholeOne) {
  Rate rate;
  for (int i = 0; i < 500; ++i) rate.add(at(0));
  EXPECT_EQ(500, rate.per_second(at(10)));
}

TEST(Rate, IsRightWhileTheWindowFills) {
  Rate rate;
  run(rate, 0, 3000, 100);
  EXPECT_NEAR(100, rate.per_second(at(3000)), 2);
}

TEST(Rate, IsRightOnceTheWindowIsFull) {
  Rate rate;
  run(rate, 0, 60'000, 200);
  EXPECT_NEAR(200, rate.per_second(at(60'000)), 2);
}

TEST(Rate, FollowsAChangeWithinTenSeconds) {
  Rate rate;
  run(rate, 0, 30'000, 10);
  run(rate, 30'000, 41'000, 500);
  EXPECT_NEAR(500, rate.per_second(at(41'000)), 5);
}

TEST(Rate, FallsToZeroWhenNothingMoreComes) {
  Rate rate;
  run(rate, 0, 20'000, 100);
  EXPECT_NEAR(50, rate.per_second(at(25'000)), 5);
  EXPECT_EQ(0, rate.per_second(at(31'001)));
  EXPECT_EQ(0, rate.per_second(at(1'000'000'000)));
}

TEST(Rate, AfterAPauseItStartsAnew) {
  Rate rate;
  run(rate, 0, 20'000, 10);
  run(rate, 100'000, 102'000, 1000);
  EXPECT_NEAR(1000, rate.per_second(at(102'000)), 10);
}

}  // namespace
}  // namespace rota::queue

#include "common/base/histogram.h"

#include <gtest/gtest.h>

#include <numeric>

namespace rota {
namespace {

constexpr std::array<std::uint64_t, 6> kBounds = {0, 1, 5, 7, 1000, 1'000'000};
using Counts = Histogram<kBounds>;

std::size_t bucket_of(std::uint64_t value) {
  Counts counts;
  counts.add(value);
  for (std::size_t i = 0; i < counts.counts().size(); ++i) {
    if (counts.counts()[i] != 0) return i;
  }
  return SIZE_MAX;
}

TEST(Histogram, AValueFallsIntoTheFirstBucketThatHoldsIt) {
  for (std::uint64_t value = 0; value < 3000; ++value) {
    std::size_t expected = 0;
    while (expected < kBounds.size() && value > kBounds[expected]) ++expected;
    ASSERT_EQ(expected, bucket_of(value)) << value;
  }
}

TEST(Histogram, BoundsBelongToTheirBucketAndLargerValuesToTheLast) {
  EXPECT_EQ(0U, bucket_of(0));
  EXPECT_EQ(3U, bucket_of(6));
  EXPECT_EQ(5U, bucket_of(1'000'000));
  EXPECT_EQ(6U, bucket_of(1'000'001));
  EXPECT_EQ(6U, bucket_of(UINT64_MAX));
}

TEST(Histogram, SumsWhatItCounts) {
  Counts counts;
  for (const std::uint64_t value : {3U, 4U, 2000U}) counts.add(value);
  EXPECT_EQ(2007U, counts.sum());
  EXPECT_EQ(3U, std::accumulate(counts.counts().begin(), counts.counts().end(), std::uint64_t{0}));
  EXPECT_EQ(Counts::bounds().size() + 1, counts.counts().size());
}

}  // namespace
}  // namespace rota

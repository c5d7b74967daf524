#include "common/base/units.h"

#include <gtest/gtest.h>

#include "common/base/limits.h"
#include "common/base/prng.h"

namespace rota {
namespace {

TEST(Duration, UnderstandsEveryUnitAndTheirSums) {
  EXPECT_EQ(parse_duration("500ms"), Millis{500});
  EXPECT_EQ(parse_duration("10s"), Millis{10'000});
  EXPECT_EQ(parse_duration("5m"), Millis{300'000});
  EXPECT_EQ(parse_duration("2h"), Millis{7'200'000});
  EXPECT_EQ(parse_duration("7d"), Millis{604'800'000});
  EXPECT_EQ(parse_duration("1h30m"), Millis{5'400'000});
  EXPECT_EQ(parse_duration("0"), Millis{0});
}

TEST(Duration, RefusesWhatIsNotOne) {
  for (const char* text : {"", "10", "-5s", "+5s", "5 s", "1.5h", "s", "5x", "30m1h", "5s5s", "99999999999999999999s",
                           "9223372036854775807d", "4000d"}) {
    EXPECT_FALSE(parse_duration(text)) << text;
  }
}

TEST(Duration, ShownFormParsesBack) {
  Prng random(7);
  for (int i = 0; i < 1000; ++i) {
    const Millis value{static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(limits::kMaxDuration.count())))};
    EXPECT_EQ(parse_duration(format_duration(value)), value) << format_duration(value);
  }
  EXPECT_EQ(format_duration(Millis{5'400'000}), "1h30m");
}

TEST(Size, UnderstandsBinaryUnits) {
  EXPECT_EQ(parse_size("100"), 100U);
  EXPECT_EQ(parse_size("100B"), 100U);
  EXPECT_EQ(parse_size("64KiB"), 65'536U);
  EXPECT_EQ(parse_size("2GiB"), 2'147'483'648U);
}

TEST(Size, RefusesWhatIsNotOne) {
  for (const char* text : {"", "KiB", "-1", "1.5MiB", "10kb", "10 MiB", "99999999999999999999", "16777216TiB"}) {
    EXPECT_FALSE(parse_size(text)) << text;
  }
}

TEST(Time, RoundTripsThroughRfc3339) {
  EXPECT_EQ(format_time(Wall{0}), "1970-01-01T00:00:00.000Z");
  EXPECT_EQ(parse_time("2026-11-22T10:15:00Z"), parse_time("2026-11-22T12:15:00.000+02:00"));
  Prng random(3);
  for (int i = 0; i < 1000; ++i) {
    const Wall at{static_cast<std::int64_t>(random.below(4'000'000'000'000))};
    EXPECT_EQ(parse_time(format_time(at)), at);
  }
}

TEST(Time, RefusesWhatIsNotOne) {
  for (const char* text : {"", "2026-11-22", "2026-11-22T10:15:00", "2026-02-30T00:00:00Z", "2026-13-01T00:00:00Z",
                           "2026-11-22T25:00:00Z", "2026-11-22T10:15:00.Z", "tomorrow"}) {
    EXPECT_FALSE(parse_time(text)) << text;
  }
}

}  // namespace
}  // namespace rota

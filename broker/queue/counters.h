#pragma once

#include <array>
#include <cstdint>

#include "common/base/clock.h"
#include "common/base/histogram.h"

namespace rota::queue {

// Milliseconds. Three steps a decade up to ten seconds, where a quantile is worth knowing exactly; coarser above, where a
// person asks whether it is minutes, hours or a day.
inline constexpr std::array<std::uint64_t, 19> kDurationBounds = {
    1,     2,     5,      10,     20,     50,      100,       200,       500,       1'000,
    2'000, 5'000, 10'000, 30'000, 60'000, 300'000, 1'800'000, 7'200'000, 86'400'000};
using Durations = Histogram<kDurationBounds>;

// The wall clock may have been set back meanwhile.
[[nodiscard]] constexpr std::uint64_t at_least_zero(Millis span) {
  return span.count() > 0 ? static_cast<std::uint64_t>(span.count()) : 0;
}

// What the core counts since its start.
struct Counters {
  std::uint64_t accepted = 0, duplicates = 0, dispatched = 0, completed = 0, retried = 0, lost = 0, stale = 0, gone = 0,
                released = 0, reclaimed = 0, expired = 0, cancelled = 0;
  std::uint64_t reattach_steps = 0;  // jobs passed in search of the places of re-attached ones
  // From acceptance to the first dispatch, of jobs that could run at once: of the others nothing says since when they were
  // ready.
  Durations queue_wait;
  // Of runs that ended: since the worker started it, by its word; never longer than since the dispatch.
  Durations run_time;
};

}  // namespace rota::queue

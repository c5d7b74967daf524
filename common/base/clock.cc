#include "common/base/clock.h"

#include <ctime>

namespace rota {
namespace {

timespec read(clockid_t clock) {
  timespec at{};
  ::clock_gettime(clock, &at);
  return at;
}

}  // namespace

Now read_clocks() {
  const timespec steady = read(CLOCK_BOOTTIME);
  const timespec wall = read(CLOCK_REALTIME);
  return Now{Steady{steady.tv_sec * 1000 + steady.tv_nsec / 1'000'000},
             Wall{wall.tv_sec * 1000 + wall.tv_nsec / 1'000'000}};
}

std::int64_t monotonic_us() {
  const timespec at = read(CLOCK_MONOTONIC);
  return at.tv_sec * 1'000'000 + at.tv_nsec / 1000;
}

}  // namespace rota

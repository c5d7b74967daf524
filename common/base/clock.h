#pragma once

#include <chrono>
#include <compare>
#include <cstdint>

namespace rota {

// All durations of the product are whole milliseconds.
using Millis = std::chrono::milliseconds;

// A point on CLOCK_BOOTTIME in milliseconds: never jumps, counts suspend. Leases, delays and timeouts run on it.
// Meaningless outside the process that read it.
struct Steady {
  std::int64_t ms = 0;
  auto operator<=>(const Steady&) const = default;
};

// A point in Unix time in milliseconds. Stored, shown to people, and compared only with what a user named (`--at`).
struct Wall {
  std::int64_t ms = 0;
  auto operator<=>(const Wall&) const = default;
};

inline constexpr Steady kNeverSteady{INT64_MAX};

// The two clocks of one moment. Passed into every pure part; no pure part reads a clock.
struct Now {
  Steady steady;
  Wall wall;
};

constexpr Steady operator+(Steady at, Millis by) { return {at.ms + by.count()}; }
constexpr Steady operator-(Steady at, Millis by) { return {at.ms - by.count()}; }
constexpr Millis operator-(Steady a, Steady b) { return Millis{a.ms - b.ms}; }
constexpr Wall operator+(Wall at, Millis by) { return {at.ms + by.count()}; }
constexpr Wall operator-(Wall at, Millis by) { return {at.ms - by.count()}; }
constexpr Millis operator-(Wall a, Wall b) { return Millis{a.ms - b.ms}; }

// Reads both clocks of the machine. For the outermost shells only.
[[nodiscard]] Now read_clocks();

// CLOCK_MONOTONIC in microseconds, for measuring how long something took.
[[nodiscard]] std::int64_t monotonic_us();

}  // namespace rota

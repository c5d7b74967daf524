#pragma once

#include <cstddef>
#include <cstdint>

#include "common/base/clock.h"
#include "common/base/prng.h"
#include "common/base/uuid.h"

namespace rota::sim {

// Everything that chance decides in a simulated run comes from dice forked off one seed.
class Dice {
 public:
  explicit Dice(std::uint64_t seed) : prng_(seed) {}

  [[nodiscard]] bool chance(double probability) { return prng_.unit() < probability; }
  // Both ends included.
  [[nodiscard]] std::int64_t between(std::int64_t low, std::int64_t high) {
    return low + static_cast<std::int64_t>(prng_.below(static_cast<std::uint64_t>(high - low + 1)));
  }
  [[nodiscard]] std::size_t below(std::size_t bound) { return static_cast<std::size_t>(prng_.below(bound)); }
  [[nodiscard]] Millis millis(std::int64_t low, std::int64_t high) { return Millis{between(low, high)}; }
  // Mostly near `low`, seldom near `high`.
  [[nodiscard]] Millis skewed(std::int64_t low, std::int64_t high) {
    const double unit = prng_.unit();
    return Millis{low + static_cast<std::int64_t>(static_cast<double>(high - low) * unit * unit * unit * unit)};
  }
  [[nodiscard]] Dice fork() { return Dice(prng_.next()); }
  [[nodiscard]] Prng prng() { return Prng(prng_.next()); }
  [[nodiscard]] std::uint64_t number() { return prng_.next(); }
  [[nodiscard]] Uuid uuid() {
    Uuid uuid;
    for (std::uint8_t& byte : uuid.bytes) byte = static_cast<std::uint8_t>(prng_.next());
    return uuid;
  }

 private:
  Prng prng_;
};

}  // namespace rota::sim

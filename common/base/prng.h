#pragma once

#include <cstdint>

namespace rota {

// xoshiro256** seeded through SplitMix64 (Blackman, Vigna: https://prng.di.unimi.it/). Deterministic from its seed, so
// that a simulated run replays. Not for secrets. A value type; not safe for use from two threads.
class Prng {
 public:
  explicit Prng(std::uint64_t seed);

  [[nodiscard]] std::uint64_t next();
  // Uniform in [0, bound); bound > 0.
  [[nodiscard]] std::uint64_t below(std::uint64_t bound);
  // Uniform in [0, 1).
  [[nodiscard]] double unit();

 private:
  std::uint64_t state_[4];
};

}  // namespace rota

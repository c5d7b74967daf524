#include "common/base/prng.h"

#include <bit>

#include "common/base/check.h"

namespace rota {
namespace {

std::uint64_t split_mix(std::uint64_t& state) {
  state += 0x9E3779B97F4A7C15U;
  std::uint64_t z = state;
  z = (z ^ (z >> 30U)) * 0xBF58476D1CE4E5B9U;
  z = (z ^ (z >> 27U)) * 0x94D049BB133111EBU;
  return z ^ (z >> 31U);
}

}  // namespace

Prng::Prng(std::uint64_t seed) : state_{} {
  for (auto& word : state_) word = split_mix(seed);
}

std::uint64_t Prng::next() {
  const std::uint64_t result = std::rotl(state_[1] * 5, 7) * 9;
  const std::uint64_t shifted = state_[1] << 17U;
  state_[2] ^= state_[0];
  state_[3] ^= state_[1];
  state_[1] ^= state_[2];
  state_[0] ^= state_[3];
  state_[2] ^= shifted;
  state_[3] = std::rotl(state_[3], 45);
  return result;
}

std::uint64_t Prng::below(std::uint64_t bound) {
  ROTA_CHECK(bound > 0);
  const std::uint64_t reject_under = (0 - bound) % bound;  // keeps the result unbiased
  for (;;) {
    const std::uint64_t value = next();
    if (value >= reject_under) return value % bound;
  }
}

double Prng::unit() { return static_cast<double>(next() >> 11U) * 0x1.0p-53; }

}  // namespace rota

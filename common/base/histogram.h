#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>

namespace rota {

// Counts of values by size. The bounds are a rising constexpr std::array<std::uint64_t, N>, each the largest value of its
// bucket; one more bucket takes what is larger. No allocation, no lock, a few nanoseconds a value. Not thread-safe.
template <const auto& kBounds>
class Histogram {
 public:
  void add(std::uint64_t value) {
    // The value's bit width names a bucket not above its own, a few steps away at most.
    std::size_t at = kFirst[static_cast<std::size_t>(std::bit_width(value))];
    while (at < kBounds.size() && value > kBounds[at]) ++at;
    ++counts_[at];
    sum_ += value;
  }
  [[nodiscard]] static constexpr std::span<const std::uint64_t> bounds() { return kBounds; }
  // By bucket, each value once: one more than there are bounds.
  [[nodiscard]] std::span<const std::uint64_t> counts() const { return counts_; }
  [[nodiscard]] std::uint64_t sum() const { return sum_; }

 private:
  static constexpr bool is_rising() {
    for (std::size_t i = 1; i < kBounds.size(); ++i) {
      if (kBounds[i - 1] >= kBounds[i]) return false;
    }
    return true;
  }
  static_assert(is_rising());
  // By bit width: the bucket of the smallest value that wide.
  static constexpr std::array<std::uint8_t, 65> kFirst = [] {
    std::array<std::uint8_t, 65> first{};
    for (std::size_t width = 0; width < first.size(); ++width) {
      const std::uint64_t smallest = width == 0 ? 0 : std::uint64_t{1} << (width - 1);
      while (first[width] < kBounds.size() && smallest > kBounds[first[width]]) ++first[width];
    }
    return first;
  }();

  std::array<std::uint64_t, kBounds.size() + 1> counts_{};
  std::uint64_t sum_ = 0;
};

}  // namespace rota

#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "common/base/clock.h"

namespace rota::queue {

// Events a second over about the last ten seconds: the whole seconds behind, and what there is of this one. Adding costs a
// comparison and a count. After ten seconds without events it starts anew.
class Rate {
 public:
  void add(Steady now) {
    if (now.ms >= end_) roll(now);
    ++current_;
  }
  // `now` is not before the last event's.
  [[nodiscard]] double per_second(Steady now) const;

 private:
  static constexpr std::size_t kSeconds = 10;
  static constexpr std::int64_t kSecond = 1000;

  void roll(Steady now);

  std::array<std::uint32_t, kSeconds> past_{};  // a ring; at_ is the oldest, to be written next
  std::uint32_t current_ = 0;
  std::uint32_t at_ = 0;
  std::int64_t began_ = 0;        // when counting started (anew)
  std::int64_t end_ = INT64_MIN;  // of the current second; the lowest: nothing was ever counted
};

}  // namespace rota::queue

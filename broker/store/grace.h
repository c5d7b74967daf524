#pragma once

#include <algorithm>

#include "common/base/clock.h"
#include "common/base/limits.h"

namespace rota::store {

// Measures how long ago something was read, for what must not be taken from under a reader's decision. It counts only time
// in which maintenance was called again and again, and little for each call: after a pause of the process or of the disk,
// or a step of the clock, whoever was held up as well gets its time. Not thread-safe.
class GraceClock {
 public:
  void advance(Wall now) {
    if (told_.ms != 0) passed_ += std::clamp(now - told_, Millis{0}, limits::kDropGraceStep);
    told_ = now;
  }
  [[nodiscard]] Millis passed() const { return passed_; }

 private:
  Wall told_;
  Millis passed_{0};
};

}  // namespace rota::store

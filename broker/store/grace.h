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

// The clock by which finished jobs are forgotten. It stands still for a grace after a gap between two looks that is as long
// as a stall of the disk or of the process: whatever was decided on a job while it could still be read, a retry for
// example, is committed before its record goes. Not thread-safe.
class ForgetClock {
 public:
  // What to take for now.
  Wall advance(Wall now) {
    const Millis passed = now - told_;
    if (told_.ms == 0) {
      shown_ = now;
    } else if (passed > limits::kForgetGap) {
      waits_ = limits::kDropGrace;
    } else {
      waits_ -= std::clamp(passed, Millis{0}, waits_);
    }
    told_ = now;
    if (waits_.count() == 0) shown_ = std::max(shown_, now);
    return shown_;
  }
  [[nodiscard]] Wall now() const { return shown_; }

 private:
  Wall told_, shown_;
  Millis waits_{0};
};

}  // namespace rota::store

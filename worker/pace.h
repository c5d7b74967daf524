#pragma once

#include <cstdint>

#include "common/base/limits.h"

namespace rota::worker {

// How long runs have taken of late: decides how much is prefetched, what is started ahead of a free thread, and what may
// run on the I/O thread. A value; times in microseconds.
class Pace {
 public:
  void ran(std::int64_t us);
  // A run has been going on for this long and is not over.
  void still_running(std::int64_t us);

  [[nodiscard]] std::int64_t mean_us() const { return static_cast<std::int64_t>(mean_us_); }
  [[nodiscard]] std::uint64_t runs() const { return runs_; }
  // Proven to end within the flush interval nearly always.
  [[nodiscard]] bool is_short() const;
  // Proven to end within limits::kInlineRunUs nearly always.
  [[nodiscard]] bool is_tiny() const;
  // How many jobs `slots` threads run within the prefetch horizon beyond one each; grows with the proof.
  [[nodiscard]] std::uint32_t prefetch(std::uint32_t slots) const;
  // How many may be queued at the handler threads beyond one each, so that none waits for the I/O thread.
  [[nodiscard]] std::uint32_t ahead(std::uint32_t slots) const;

 private:
  double mean_us_ = 0;
  double slow_share_ = 1;       // moving share of runs over limits::kInlineRunUs
  double very_slow_share_ = 1;  // ... over limits::kFlushInterval
  std::uint64_t runs_ = 0;
};

}  // namespace rota::worker

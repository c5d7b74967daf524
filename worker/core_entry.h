#pragma once

#include <memory>

#include "worker/core.h"

namespace rota::worker {

// A row of the core's table. For the core's own source files.
struct Core::Entry {
  State state = State::free;
  std::uint32_t generation = 0;
  wire::TokenOf job;
  std::shared_ptr<Batch> batch;  // until the run has ended
  std::uint32_t item = 0;
  std::uint32_t type = Batch::kNoType;
  std::uint32_t position = 0;  // in started_
  Steady expires_at = kNeverSteady;
  Steady arrived, started;
  Steady deadline = kNeverSteady;       // the time limit's end
  Steady stop_deadline = kNeverSteady;  // asked to stop: patience ends here
  StopReason stop = StopReason::none;
  bool disowned = false;  // another run of the job counts: report nothing
  bool refused_once = false;
  Outcome outcome;

  [[nodiscard]] bool timed() const { return deadline != kNeverSteady || stop_deadline != kNeverSteady; }
};

}  // namespace rota::worker

#pragma once

#include <cstdint>
#include <optional>

#include "common/base/job_state.h"

namespace rota::queue {

// What can happen to a job. Every change of a job's state goes through next_state(); docs/job-lifecycle.md draws it.
enum class Event : std::uint8_t {
  due,       // its delay or retry wait is over
  dispatch,  // given to a worker under a new token
  reattach,  // its worker came back with its open token
  requeue,   // its worker gave it back, was lost, or never got it
  retry,     // an attempt failed, another one follows after a wait
  succeed,   // an attempt succeeded
  fail,      // an attempt failed for good, or losses are spent
  cancel,    // cancelled
  expire,    // not started in time
  revive,    // a user's retry of a finished job
};
inline constexpr std::uint8_t kEventCount = 10;

// Where `event` takes a job in `from`; nothing if it must not happen there.
[[nodiscard]] std::optional<JobState> next_state(JobState from, Event event);

}  // namespace rota::queue

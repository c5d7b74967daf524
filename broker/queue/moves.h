#pragma once

#include <cstdint>
#include <string_view>

#include "broker/queue/command.h"
#include "broker/queue/job_entry.h"
#include "broker/queue/record.h"
#include "broker/queue/transition.h"

// What the core's functions that move jobs are told.
namespace rota::queue {

// Where a transition puts a job.
struct Into {
  std::int64_t due = 0;  // scheduled: milliseconds of the clock that wall_due names
  bool wall_due = false;
  SessionRef session = kNoSession;  // running
  JobIndex after = kNone;           // running: one of the session's that was dispatched before it, if known
};

// Which jobs a worker is asked for: those that meet all of it.
struct AskedBack {
  std::uint32_t queue = kNone;  // of this queue; kNone: of any
  std::uint32_t set = kNone;    // of a type of this set; kNone: of any
  bool paused = false;          // of paused queues only
};

// How an attempt or a wait ends, for Core::State::finish.
struct Ending {
  Event event = Event::succeed;
  EndReason reason = EndReason::completed;
  Wall started_at;
  std::string_view report;
};

}  // namespace rota::queue

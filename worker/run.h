#pragma once

#include <atomic>
#include <cstdint>
#include <string>

#include "worker/actions.h"
#include "worker/batch.h"
#include "worker/job.h"

namespace rota::worker {

// A handler job on its way through the threads. Owned by the engine; lent to one thread at a time.
struct Run {
  std::uint32_t link = 0;  // whose core it belongs to
  Handle job;
  Assignment what;
  const Handler* handler = nullptr;
  bool quick = false;  // proven to end within the flush interval
  std::atomic<bool> stop{false};
};

// A run that is over.
struct Done {
  Run* run = nullptr;
  Outcome outcome;
  std::int64_t run_us = 0;
};

// What a handler said of its progress; the newest replaces one that the leader has not seen.
struct ProgressReport {
  std::uint32_t link = 0;
  Handle job;
  double fraction = 0;
  std::string message;
};

// Where a run's newest report lies until the leader collects that round of them.
struct ProgressPlace {
  std::uint64_t round = 0;
  std::size_t at = 0;
};

}  // namespace rota::worker

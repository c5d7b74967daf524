#pragma once

#include <cstdint>

#include "bench/compare/peer.h"

namespace rota::compare {

// Jobs `first` … `end - 1` submitted by one producer.
struct Share {
  std::uint64_t first = 0;
  std::uint64_t end = 0;
};

// Submits in batches as far as window and unacknowledged allow, until all are acknowledged and, if `told`, known. A window
// counts jobs in flight, a window of 0 none. If not told, `producer` was made with the progress' wake descriptor, and it is
// the only one of the run.
void submit_share(Producer& producer, Progress& progress, const Load& load, Share share, bool told, bool windowed);

// Submits by the load's schedule. `timer_fd`: the timer that `producer` was made with as wake descriptor.
void submit_by_schedule(Producer& producer, const Load& load, bool told, int timer_fd);

}  // namespace rota::compare

#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "bench/compare/load.h"
#include "bench/compare/sync_watch.h"

namespace rota::compare {

// The server's processes, and its record of syncs; null where it is not watched.
struct Server {
  std::vector<pid_t> processes;
  const SyncRecord* syncs = nullptr;
};

// Runs a load against a server that is up and empty; the figures as one JSON object. Everything that goes wrong ends the
// process.
//   lifecycle: jobs are submitted while workers complete them, to the last completion
//   backlog: all are submitted first, then the workers begin
//   latency: lifecycle one at a time or, with a rate, from a fixed schedule, so that a stall counts for all that it delays
[[nodiscard]] std::string run_workload(const Load& load, const Server& server);

// The most used client of a server as its first example has it: a plain loop of submits, a plain handler, defaults.
[[nodiscard]] std::string run_plain(const Load& load, const Server& server);

}  // namespace rota::compare

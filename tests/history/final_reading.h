#pragma once

#include <cstdint>

#include "client/client.h"
#include "tests/history/history_log.h"
#include "tests/history/known_jobs.h"

namespace rota::history {

struct ReadCounts {
  std::uint64_t jobs = 0;
  std::uint64_t ended = 0;
  std::uint64_t unknown = 0;
};

// Asks the broker for each of the jobs once, with its result, over a few connections at a time, and logs the answers as
// "final". Repeats what is not answered until `until`.
[[nodiscard]] Result<ReadCounts> read_all(const client::ClientOptions& options, const Log& log, const KnownJobs& jobs,
                                          Steady until);

}  // namespace rota::history

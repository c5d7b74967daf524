#pragma once

#include <string>
#include <string_view>
#include <unordered_map>

#include "common/base/job_id.h"
#include "common/base/result.h"

namespace rota::history {

// What the histories of clients say about their jobs.
struct KnownJob {
  std::string queue;
  bool acked = false;
  bool ended = false;  // told, or refused for good, or another job stands for it
};
using KnownJobs = std::unordered_map<JobId, KnownJob>;

// Reads the histories of all clients in the directory whose file begins with `prefix` ("client-", "client-a-"). A last line
// that is cut short is left out. Errors: a file cannot be read or understood.
[[nodiscard]] Result<KnownJobs> read_known_jobs(const std::string& directory, const std::string& prefix);

// Whether a refusal with this code says that the job will never be accepted: sending it again is of no use.
[[nodiscard]] bool refused_for_good(Code code);

}  // namespace rota::history

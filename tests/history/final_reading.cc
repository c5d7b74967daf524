#include "tests/history/final_reading.h"

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "common/base/clock.h"
#include "common/base/limits.h"

namespace rota::history {

namespace {

struct Ends {
  std::vector<JobId> ids;
  std::vector<std::string> results, errors;
};

void write(const Log& log, const std::vector<client::Job>& jobs, ReadCounts& counts) {
  std::map<std::string, Ends> by_state;
  for (const client::Job& job : jobs) {
    const bool known = job.code == Code::ok;
    Ends& ends = by_state[known ? std::string(job_state_name(job.state)) : std::string(code_name(job.code))];
    ends.ids.push_back(job.id);
    ends.results.push_back(job.result.empty() ? std::string() : digest(job.result));
    ends.errors.push_back(job.error_code);
    ++counts.jobs;
    if (!known) ++counts.unknown;
    if (known && is_final(job.state)) ++counts.ended;
  }
  for (const auto& [state, ends] : by_state) {
    log.write(Line("final")
                  .text("state", state)
                  .ids("ids", ends.ids)
                  .texts("results", ends.results)
                  .texts("errors", ends.errors));
  }
}

}  // namespace

Result<ReadCounts> read_all(client::Client& client, const Log& log, const KnownJobs& jobs, Steady until) {
  std::vector<JobId> ids;
  ids.reserve(jobs.size());
  for (const auto& [id, job] : jobs) ids.push_back(id);
  ReadCounts counts;
  for (std::size_t first = 0; first < ids.size();) {
    const std::size_t size = std::min(limits::kGetBatch, ids.size() - first);
    const Result<std::vector<client::Job>> got = client.get({ids.data() + first, size}, true);
    if (got) {
      write(log, *got, counts);
      first += size;
    } else if (!(read_clocks().steady < until)) {
      return got.error();
    }
  }
  return counts;
}

}  // namespace rota::history

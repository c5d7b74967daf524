#pragma once

#include <string>
#include <vector>

#include "client/client.h"
#include "common/base/job_id.h"
#include "common/base/result.h"

namespace rota::cli {

// A job's id as a person gave it: whole, or shortened to its ending.
struct GivenId {
  std::string word;
  JobId id;            // nil: shortened
  std::string ending;  // then the digits of it, as the broker looks them up
};

// Ids as given on the command line, "-" for one a line from stdin. BAD_MESSAGE names the word that is none.
[[nodiscard]] Result<std::vector<GivenId>> parse_ids(const std::vector<std::string>& words);

// The whole ids, in order; the broker is asked for those that are shortened. NOT_FOUND: one fits no job. CONFLICT: one fits
// several, which are named. TIMED_OUT and the like: the broker could not be asked.
[[nodiscard]] Result<std::vector<JobId>> resolve_ids(client::Client& client, const std::vector<GivenId>& given);

}  // namespace rota::cli

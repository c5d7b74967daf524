#pragma once

#include <string>
#include <vector>

#include "common/base/job_id.h"
#include "common/base/result.h"

namespace rota::cli {

// Job ids as given on the command line, "-" for one a line from stdin. BAD_MESSAGE names the word that is none.
[[nodiscard]] Result<std::vector<JobId>> parse_ids(const std::vector<std::string>& words);

}  // namespace rota::cli

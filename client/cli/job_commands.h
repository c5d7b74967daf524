#pragma once

#include <memory>
#include <vector>

#include "client/cli/command.h"

namespace rota::cli {

// status, wait, result, cancel, retry: commands about jobs named by id.
void add_job_commands(std::vector<std::unique_ptr<Command>>& commands);

}  // namespace rota::cli

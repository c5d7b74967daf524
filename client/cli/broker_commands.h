#pragma once

#include <memory>
#include <vector>

#include "client/cli/command.h"

namespace rota::cli {

// queues, workers, stats, ping, pause, resume, drain, purge: commands about the broker, its queues and workers.
void add_broker_commands(std::vector<std::unique_ptr<Command>>& commands);

}  // namespace rota::cli

#include "client/cli/command.h"

#include "client/cli/bench_command.h"
#include "client/cli/broker_commands.h"
#include "client/cli/id_command.h"
#include "client/cli/job_commands.h"
#include "client/cli/submit_command.h"

namespace rota::cli {

void Command::declare(program::Options&, CLI::App*) {}

std::vector<std::unique_ptr<Command>> all_commands() {
  std::vector<std::unique_ptr<Command>> commands;
  commands.push_back(std::make_unique<SubmitCommand>());
  commands.push_back(std::make_unique<IdCommand>());
  add_job_commands(commands);
  add_broker_commands(commands);
  commands.push_back(std::make_unique<BenchCommand>());
  return commands;
}

}  // namespace rota::cli

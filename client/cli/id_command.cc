#include "client/cli/id_command.h"

#include <cstdio>

#include "client/cli/job_json.h"
#include "client/cli/option_takers.h"
#include "client/cli/session.h"
#include "common/base/clock.h"
#include "common/base/entropy.h"
#include "common/base/job_id.h"
#include "common/program/exit_code.h"

namespace rota::cli {

IdCommand::IdCommand() : Command("id", "Make ids for submit --id") {}

void IdCommand::declare(program::Options& options, CLI::App* scope) {
  options.add({.scope = scope,
               .name = "queue",
               .placeholder = "Q",
               .help = "The queue they are for [default]",
               .environment = std::nullopt},
              queue_name(queue_));
  options.add(
      {.scope = scope, .name = "count", .placeholder = "N", .help = "How many [1]", .environment = "", .in_file = false},
      program::Options::integer(count_, 1, 100'000'000));
}

// Needs no broker: any clock within a minute of the broker's does.
int IdCommand::run(Session& session) {
  Prng random(random_u64());
  const Slot slot = slot_of_queue(queue_);
  for (std::int64_t i = 0; i < count_; ++i) {
    const std::string id = to_string(make_job_id(read_clocks().wall, slot, random));
    if (session.output() == Output::json) {
      std::printf("%s\n", object_json("id", id).c_str());
    } else {
      std::printf("%s\n", id.c_str());
    }
  }
  return program::kExitOk;
}

}  // namespace rota::cli

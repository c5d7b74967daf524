#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"
#include "worker/batch.h"
#include "worker/outcome.h"
#include "worker/spawner/protocol.h"

namespace rota::worker {

// A type whose jobs run a command.
struct CommandType {
  std::vector<std::string> argv;  // empty: each job brings its own (exec)
  std::uint64_t max_output = limits::kDefaultMaxOutput;
};

// What a job's command is told about where it runs.
struct CommandSurroundings {
  std::string_view worker;                                // this worker's name
  std::string_view clients_endpoint;                      // of the job's broker; empty: not known
  std::uint64_t max_result = limits::kDefaultMaxPayload;  // the largest result that broker takes
};

// A command ready for the spawner. `run` points into itself and into the assignment's batch: do not move it.
struct PreparedCommand {
  std::vector<std::string> arguments;
  spawner::Run run;
};

// Fills `into` from a job: argv with "{}" replaced (appended where the job's own command has none and the job has a line),
// environment with ROTA_JOB_…, directory, payload as stdin. BAD_MESSAGE: the job has no command. TOO_LARGE: over
// limits::kMaxCommandExpanded.
[[nodiscard]] Status prepare_command(const CommandType& type, const Assignment& job, const CommandSurroundings& at,
                                     PreparedCommand& into);

// How a command's end reads as a job's.
[[nodiscard]] Outcome outcome_of(const spawner::Ended& ended);

}  // namespace rota::worker

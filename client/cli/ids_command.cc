#include "client/cli/ids_command.h"

#include <cstdio>

#include "client/cli/id_arguments.h"
#include "client/cli/job_json.h"
#include "client/cli/session.h"
#include "common/program/exit_code.h"

namespace rota::cli {

Command::Positional IdsCommand::positional() const {
  return {"ID", "Job ids, whole or their endings; - reads them from stdin", 1, most_};
}

int IdsCommand::run(Session& session) {
  const Result<std::vector<GivenId>> given = parse_ids(arguments());
  if (!given) return session.usage(given.error().message);
  prepare(session);
  if (!session.connect()) return session.connect_exit();
  const Result<std::vector<JobId>> ids = resolve_ids(session.client(), *given);
  if (!ids) return session.fail_request(ids.error());
  return run_with(session, *ids);
}

int print_outcomes(Session& session, const Result<std::vector<client::ItemOutcome>>& outcomes, std::string_view verb) {
  if (!outcomes) return session.fail_request(outcomes.error());
  int code = 0;
  for (const client::ItemOutcome& outcome : *outcomes) {
    if (outcome.code != Code::ok && outcome.code != Code::duplicate) {
      const std::string reason = outcome.message.empty() ? std::string(code_name(outcome.code)) : outcome.message;
      const int failed = session.fail({outcome.code, "job " + to_string(outcome.id) + ": " + reason});
      // A job that is not in the state for it is no usage error.
      if (code == 0) code = outcome.code == Code::conflict ? program::kExitJobFailed : failed;
    } else if (session.output() == Output::json) {
      std::printf("%s\n", outcome_json(outcome).c_str());
    } else if (session.output() == Output::text) {
      const std::string state(job_state_name(outcome.state));
      const bool asked_only = verb == "cancel" && outcome.state == JobState::running;
      std::printf("%s %s\n", to_string(outcome.id).c_str(), asked_only ? "running, asked to stop" : state.c_str());
    } else {
      std::printf("%s\n", to_string(outcome.id).c_str());
    }
  }
  return code;
}

}  // namespace rota::cli

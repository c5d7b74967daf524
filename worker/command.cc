#include "worker/command.h"

#include <algorithm>
#include <csignal>
#include <cstring>

namespace rota::worker {
namespace {

constexpr std::string_view kHole = "{}";

bool fill_holes(std::string& text, std::string_view with) {
  bool filled = false;
  for (std::size_t at = text.find(kHole); at != std::string::npos; at = text.find(kHole, at + with.size())) {
    text.replace(at, kHole.size(), with);
    filled = true;
  }
  return filled;
}

void fill_arguments(const wire::Selector& selector, bool own_command, std::vector<std::string>& arguments) {
  if (selector.kind == wire::Selector::Kind::none) return;
  const bool is_line = selector.kind == wire::Selector::Kind::line;
  const std::string with = is_line ? std::string{selector.line} : std::to_string(selector.index);
  bool filled = false;
  for (std::string& argument : arguments) filled = fill_holes(argument, with) || filled;
  if (is_line && !filled && own_command) arguments.push_back(with);
}

}  // namespace

Status prepare_command(const CommandType& type, const Assignment& job, const CommandSurroundings& at,
                       PreparedCommand& into) {
  const wire::DispatchItem& item = job.item();
  const wire::Spec& spec = job.spec();
  const bool own_command = type.argv.empty();
  spawner::Run& run = into.run;
  if (own_command) {
    if (!spec.command || spec.command->argv.empty())
      return Error{Code::bad_message, "the job has no command; submit one of type exec with a command, or another type"};
    into.arguments.assign(spec.command->argv.begin(), spec.command->argv.end());
    for (const auto& [name, value] : spec.command->env) run.env.push_back(std::string{name} + '=' + std::string{value});
    run.cwd = spec.command->cwd;
  } else {
    into.arguments = type.argv;
  }
  fill_arguments(item.selector, own_command, into.arguments);
  run.argv.assign(into.arguments.begin(), into.arguments.end());
  run.env.push_back("ROTA_JOB_ID=" + to_string(item.id));
  run.env.push_back("ROTA_JOB_ATTEMPT=" + std::to_string(item.attempt));
  run.env.push_back("ROTA_JOB_QUEUE=" + std::string{job.shared().queue});
  run.env.push_back("ROTA_JOB_WORKER=" + std::string{at.worker});
  if (item.selector.kind == wire::Selector::Kind::line)
    run.env.push_back("ROTA_JOB_LINE=" + std::string{item.selector.line});
  if (item.selector.kind == wire::Selector::Kind::index) {
    run.env.push_back("ROTA_JOB_INDEX=" + std::to_string(item.selector.index));
  }
  if (!at.clients_endpoint.empty()) run.env.push_back("ROTA_BROKER=" + std::string{at.clients_endpoint});
  run.max_output = std::min(type.max_output, at.max_result);
  run.input = item.payload;
  return {};
}

Outcome outcome_of(const spawner::Ended& ended) {
  if (ended.how == spawner::Ended::How::not_started) {
    return Outcome::failure("EXEC_FAILED", std::string{ended.reason});
  }
  Outcome outcome;
  if (ended.how == spawner::Ended::How::signaled) {
    const char* const name = sigabbrev_np(ended.number);
    outcome = Outcome::failure("EXIT", "the command was ended by signal " + std::to_string(ended.number) +
                                           (name == nullptr ? std::string{} : " (SIG" + std::string{name} + ")"));
    outcome.signal = ended.number;
    outcome.exit_code = 128 + ended.number;
  } else {
    if (ended.number != 0) {
      outcome = Outcome::failure("EXIT", "the command exited with code " + std::to_string(ended.number));
    }
    outcome.exit_code = ended.number;
  }
  outcome.result = ended.output;
  outcome.stderr_tail = ended.stderr_tail;
  return outcome;
}

}  // namespace rota::worker

#include "worker/command.h"

#include <algorithm>
#include <csignal>
#include <cstring>

#include "common/base/peer_limits.h"

namespace rota::worker {
namespace {

constexpr std::string_view kHole = "{}";

std::size_t holes_in(std::string_view text) {
  std::size_t holes = 0;
  for (std::size_t at = text.find(kHole); at != std::string::npos; at = text.find(kHole, at + kHole.size())) ++holes;
  return holes;
}

// Built anew: replacing in place would move the rest once for each hole.
std::string with_holes_filled(std::string_view text, std::size_t holes, std::string_view with) {
  std::string filled;
  filled.reserve(text.size() - holes * kHole.size() + holes * with.size());
  for (; holes > 0; --holes) {
    const std::size_t at = text.find(kHole);
    filled.append(text.substr(0, at)).append(with);
    text.remove_prefix(at + kHole.size());
  }
  return filled.append(text);
}

Status fill_arguments(const wire::Selector& selector, bool own_command, std::vector<std::string>& arguments) {
  if (selector.kind == wire::Selector::Kind::none) return {};
  const bool is_line = selector.kind == wire::Selector::Kind::line;
  const std::string with = is_line ? std::string{selector.line} : std::to_string(selector.index);
  // Summed up before anything is built: many holes and a long line make gigabytes.
  std::vector<std::size_t> holes;
  std::size_t all_holes = 0, bytes = 0;
  for (const std::string& argument : arguments) {
    holes.push_back(holes_in(argument));
    all_holes += holes.back();
    bytes += argument.size() + 1;  // and its closing zero
  }
  bytes = bytes - all_holes * kHole.size() + all_holes * with.size();
  if (all_holes > 0 && bytes > limits::kMaxCommandExpanded) {
    return Error{Code::too_large, "the command would be " + std::to_string(bytes) +
                                      " bytes long with its line or index put in; at most " +
                                      std::to_string(limits::kMaxCommandExpanded) +
                                      " can be run: give it fewer {}, or let it read ROTA_JOB_LINE or ROTA_JOB_INDEX"};
  }
  for (std::size_t at = 0; at < arguments.size(); ++at) {
    if (holes[at] > 0) arguments[at] = with_holes_filled(arguments[at], holes[at], with);
  }
  if (is_line && all_holes == 0 && own_command) arguments.push_back(with);
  return {};
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
  if (Status filled = fill_arguments(item.selector, own_command, into.arguments); !filled) return filled;
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

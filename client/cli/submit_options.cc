#include "client/cli/submit_options.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <unordered_set>

#include "common/base/limits.h"
#include "common/base/units.h"

namespace rota::cli {

namespace {

using program::Options;

Error usage(std::string message) { return Error{Code::bad_message, std::move(message)}; }

Options::Spec option(CLI::App* scope, std::string name, std::string placeholder, std::string help) {
  return {.scope = scope,
          .name = std::move(name),
          .placeholder = std::move(placeholder),
          .help = std::move(help),
          .environment = std::nullopt};
}

// Of one job, so never taken from the environment or the file.
Options::Spec own(CLI::App* scope, std::string name, std::string placeholder, std::string help) {
  Options::Spec spec = option(scope, std::move(name), std::move(placeholder), std::move(help));
  spec.environment = "";
  spec.in_file = false;
  return spec;
}

Options::Spec repeated(CLI::App* scope, std::string name, std::string placeholder, std::string help) {
  Options::Spec spec = own(scope, std::move(name), std::move(placeholder), std::move(help));
  spec.repeatable = true;
  return spec;
}

}  // namespace

void SubmitOptionSet::declare(Options& options, CLI::App* scope) {
  declare_job(options, scope);
  declare_policy(options, scope);
  options.flag(own(scope, "wait", "", "Wait for the end; exit with the job's own exit code (several: 1 if any failed)"),
               out_.wait);
}

void SubmitOptionSet::declare_job(Options& options, CLI::App* scope) {
  options.add(option(scope, "queue", "Q", "The queue [default]"), queue_name(out_.shared.queue));
  options.add(own(scope, "type", "NAME", "A job for this handler; without it a command is run"),
              [this](std::string_view text) { return type_name(type_.emplace())(text); });
  options.add(own(scope, "payload", "TEXT", "The handler's input"), given_text(payload_));
  options.add(own(scope, "payload-file", "FILE|-", "The handler's input from a file or stdin"), given_text(payload_file_));
  options.add(own(scope, "stdin", "FILE|-", "What the command reads from its stdin"), given_text(stdin_file_));
  options.add(repeated(scope, "env", "K=V", "A variable for the command"), name_value(env_));
  options.add(own(scope, "cwd", "DIR", "The command's working directory [the worker's]"), Options::text(cwd_));
  options.add(own(scope, "each-line", "FILE|-", "One job per line; {} in the command stands for the line"),
              given_text(out_.each_line));
  options.add(own(scope, "array", "A-B[:STEP]", "One job per index, which the command sees as ROTA_JOB_INDEX"),
              index_range(out_.array));
  options.add(own(scope, "id", "UUID", "The job's id, from 'rota id'"), job_id(id_));
  options.add(own(scope, "name", "TEXT", "A name for people"), text_up_to(out_.shared.name, limits::kMaxJobName));
  options.add(repeated(scope, "header", "K=V", "Trace context and the like, handed to the handler"),
              name_value(out_.shared.headers));
  options.add(own(scope, "key", "KEY", "At most one unfinished job per queue and key"), text_up_to(key_, limits::kMaxKey));
  options.add(own(scope, "key-for", "DUR", "Hold the key so long beyond the end"),
              Options::duration(out_.shared.options.key_for));
}

void SubmitOptionSet::declare_policy(Options& options, CLI::App* scope) {
  client::JobOptions& job = out_.shared.options;
  options.add(option(scope, "priority", "N", "-128 to 127, higher first [0]"), Options::integer(priority_, -128, 127));
  options.add(own(scope, "delay", "DUR", "Not before this has passed"), given_duration(delay_));
  options.add(own(scope, "at", "TIME", "Not before this time (RFC 3339)"), time_of_day(job.run_at));
  options.add(option(scope, "retries", "N", "How often a failed attempt is run again [0]"),
              Options::integer(retries_, 0, limits::kMaxRetries));
  options.add(option(scope, "backoff", "DUR[,FACTOR[,MAX]]",
                     "The wait before a retry; FACTOR up to " + std::to_string(limits::kMaxBackoffFactorMilli / 1000) +
                         " [1s,2,10m]"),
              backoff(job));
  options.add(option(scope, "losses", "N", "How often a run whose worker was lost is run again [5]"),
              Options::integer(losses_, 0, limits::kMaxLosses));
  options.add(option(scope, "time-limit", "DUR", "The longest one attempt may run [none]"),
              Options::duration(job.time_limit, Millis{1}));
  options.add(option(scope, "expires", "DUR", "Not started by then: expired [never]"),
              Options::duration(job.expires, Millis{1}));
  options.add(option(scope, "keep", "DUR", "How long the outcome can be read [24h; 7d if failed]; 0: not at all"),
              given_duration(keep_));
  options.add(option(scope, "durability", "fsync|memory", "What the acknowledgement means [fsync]"),
              durability(job.durability));
}

Result<SubmitOptions> SubmitOptionSet::finish(const std::optional<std::vector<std::string>>& command_line) {
  client::JobOptions& job = out_.shared.options;
  job.priority = static_cast<std::int8_t>(priority_);
  job.retries = static_cast<std::uint32_t>(retries_);
  job.losses = static_cast<std::uint32_t>(losses_);
  std::unordered_set<std::string> names;
  for (const auto& [name, value] : out_.shared.headers) {
    if (!names.insert(name).second) return usage("--header: '" + name + "' is given twice; a header has one value");
  }
  if (delay_ && job.run_at.ms != 0) return usage("--delay and --at exclude each other");
  if (delay_) job.delay = *delay_;
  if (keep_) job.keep = *keep_;
  if (Status ok = finish_command(command_line); !ok) return ok.error();
  if (Status ok = finish_single(); !ok) return ok.error();
  if (Status ok = client::check(out_.shared); !ok) return ok.error();
  if (Status ok = finish_payload(); !ok) return ok.error();
  return std::move(out_);
}

Status SubmitOptionSet::finish_command(const std::optional<std::vector<std::string>>& command_line) {
  const bool has_command = command_line && !command_line->empty();
  if (!has_command && !type_) {
    return usage("give the command to run behind \"--\" (rota submit -- COMMAND ARG...), or --type NAME for a handler");
  }
  if (has_command && type_ && *type_ != kExecType) {
    return usage("--type " + *type_ + " and a command behind \"--\" exclude each other");
  }
  if (has_command) {
    out_.shared.command = client::CommandLine{*command_line, env_, cwd_};
    if (payload_ || payload_file_) return usage("a command's input is given with --stdin; --payload is for --type");
    return {};
  }
  if (*type_ == kExecType) return usage("--type exec needs a command behind \"--\"");
  if (!env_.empty()) return usage("--env is for commands, not for --type");
  if (!cwd_.empty()) return usage("--cwd is for commands, not for --type");
  if (stdin_file_) return usage("--stdin is for commands; a handler's input is --payload or --payload-file");
  out_.shared.type = *type_;
  return {};
}

Status SubmitOptionSet::finish_single() {
  if (out_.each_line && out_.array) return usage("--each-line and --array exclude each other");
  if (!out_.single() && id_) return usage("--id is for a single job");
  if (!out_.single() && !key_.empty()) return usage("--key is for a single job");
  if (out_.shared.options.key_for.count() > 0 && key_.empty()) return usage("--key-for needs --key");
  out_.id = id_;
  out_.key = key_;
  if (id_ && slot_of(*id_) != slot_of_queue(out_.shared.queue)) {
    return usage("--id: '" + to_string(*id_) + "' was not made for queue '" + out_.shared.queue + "'; 'rota id --queue " +
                 out_.shared.queue + "' makes ids for it");
  }
  return {};
}

Status SubmitOptionSet::finish_payload() {
  if (payload_ && payload_file_) return usage("--payload and --payload-file exclude each other");
  const std::optional<std::string>& file = payload_file_ ? payload_file_ : stdin_file_;
  if (payload_) out_.payload = std::move(*payload_);
  if (!file) return {};
  if (*file == "-" && out_.each_line && *out_.each_line == "-") return usage("stdin can be read for one purpose only");
  Result<std::string> content = read_whole(*file, limits::kLargestMaxPayload);
  if (!content) return content.error();
  out_.payload = std::move(*content);
  return {};
}

Result<std::string> read_whole(const std::string& path, std::size_t most) {
  const bool is_stdin = path == "-";
  const int fd = is_stdin ? STDIN_FILENO : ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return usage("cannot read '" + path + "': " + std::strerror(errno));
  std::string content;
  std::array<char, 64 * limits::KiB> chunk{};
  std::optional<Error> broken;
  while (!broken) {
    const ssize_t got = ::read(fd, chunk.data(), chunk.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) broken = usage("cannot read '" + path + "': " + std::strerror(errno));
    if (got <= 0) break;
    content.append(chunk.data(), static_cast<std::size_t>(got));
    if (content.size() > most) broken = Error{Code::too_large, "'" + path + "' is larger than " + format_size(most)};
  }
  if (!is_stdin) ::close(fd);
  if (broken) return *broken;
  return content;
}

}  // namespace rota::cli

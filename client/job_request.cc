#include "client/job_request.h"

#include "common/base/limits.h"
#include "common/base/units.h"
#include "common/base/uuid.h"

namespace rota::client {

namespace {

Error bad(std::string message) { return Error{Code::bad_message, std::move(message)}; }
Error large(std::string message) { return Error{Code::too_large, std::move(message)}; }

constexpr std::string_view kNameRule = " must be 1 to 64 of A-Z a-z 0-9 . _ -";

Status check_duration(std::string_view what, Millis value) {
  if (value.count() >= 0 && value <= limits::kMaxDuration) return {};
  return bad("a job's " + std::string(what) + " must be between 0 and " + format_duration(limits::kMaxDuration));
}

Status check_options(const JobOptions& options) {
  for (const auto& [what, value] :
       {std::pair{"delay", options.delay}, std::pair{"time limit", options.time_limit},
        std::pair{"backoff", options.backoff}, std::pair{"longest backoff", options.backoff_max},
        std::pair{"expiry", options.expires}, std::pair{"key-for", options.key_for}}) {
    if (Status ok = check_duration(what, value); !ok) return ok;
  }
  if (options.keep != Millis{-1}) {
    if (Status ok = check_duration("keep", options.keep); !ok) return ok;
  }
  if (options.retries > limits::kMaxRetries) {
    return bad("a job has at most " + std::to_string(limits::kMaxRetries) + " retries");
  }
  if (options.losses > limits::kMaxLosses)
    return bad("a job has at most " + std::to_string(limits::kMaxLosses) + " losses");
  if (options.backoff_factor_milli < limits::kMinBackoffFactorMilli ||
      options.backoff_factor_milli > limits::kMaxBackoffFactorMilli) {
    return bad("a job's backoff factor must be from " + std::to_string(limits::kMinBackoffFactorMilli / 1000) + " to " +
               std::to_string(limits::kMaxBackoffFactorMilli / 1000));
  }
  if (options.durability == Durability::written) return bad("durability 'written' is reserved; give fsync or memory");
  return {};
}

Status check_headers(const std::vector<StringPair>& headers) {
  if (headers.size() > limits::kMaxHeaders) {
    return large("a job has at most " + std::to_string(limits::kMaxHeaders) + " headers");
  }
  std::size_t bytes = 0;
  for (const auto& [name, value] : headers) {
    bytes += name.size() + value.size();
    if (name.empty() || !is_valid_text(name, limits::kMaxHeaderBytes) || !is_valid_text(value, limits::kMaxHeaderBytes)) {
      return bad("header '" + name + "' must be UTF-8 text without control characters, and named");
    }
  }
  if (bytes > limits::kMaxHeaderBytes) return large("a job's headers hold at most " + format_size(limits::kMaxHeaderBytes));
  return {};
}

Status check_command(const CommandLine& command) {
  if (command.argv.empty() || command.argv.front().empty()) return bad("the command is empty");
  if (command.argv.size() + command.env.size() > limits::kMaxArguments) {
    return large("a command has at most " + std::to_string(limits::kMaxArguments) + " arguments and variables");
  }
  std::size_t bytes = command.cwd.size();
  bool has_nul = command.cwd.find('\0') != std::string::npos;
  for (const std::string& argument : command.argv) {
    bytes += argument.size();
    has_nul = has_nul || argument.find('\0') != std::string::npos;
  }
  for (const auto& [name, value] : command.env) {
    bytes += name.size() + value.size();
    has_nul = has_nul || name.find('\0') != std::string::npos || value.find('\0') != std::string::npos;
    if (name.empty() || name.find('=') != std::string::npos) return bad("'" + name + "' cannot name a variable");
  }
  if (has_nul) return bad("a command cannot hold a NUL character");
  if (bytes > limits::kMaxCommandBytes) {
    return large("a command with its environment holds at most " + format_size(limits::kMaxCommandBytes) +
                 "; hand large input over with --stdin or as payload");
  }
  return {};
}

}  // namespace

Status check(const JobTemplate& shared) {
  if (!is_valid_queue_name(shared.queue)) return bad("queue '" + shared.queue + "'" + std::string(kNameRule));
  if (!is_valid_type_name(shared.type)) return bad("type '" + shared.type + "'" + std::string(kNameRule));
  if (!is_valid_text(shared.name, limits::kMaxJobName)) {
    return bad("a job's name must be UTF-8 text without control characters, at most " +
               std::to_string(limits::kMaxJobName) + " bytes");
  }
  if (Status ok = check_options(shared.options); !ok) return ok;
  if (Status ok = check_headers(shared.headers); !ok) return ok;
  if (!shared.command) return {};
  return check_command(*shared.command);
}

Status check(const JobTemplate& shared, const JobItem& item, std::size_t max_payload) {
  if (item.payload.size() > max_payload) {
    return large("the payload of " + format_size(item.payload.size()) + " is larger than the broker's --max-payload of " +
                 format_size(max_payload));
  }
  if (!item.key.empty() && !is_valid_text(item.key, limits::kMaxKey)) {
    return bad("a key must be UTF-8 text without control characters, at most " + std::to_string(limits::kMaxKey) +
               " bytes");
  }
  if (item.line && item.line->size() > limits::kMaxLine) {
    return large("a line of " + format_size(item.line->size()) + " is longer than " + format_size(limits::kMaxLine));
  }
  if (item.line && item.line->find('\0') != std::string_view::npos) return bad("a line cannot hold a NUL character");
  if (item.id) {
    if (!is_job_id(*item.id)) return bad(to_string(*item.id) + " is not a UUIDv7; 'rota id' makes ids");
    if (slot_of(*item.id) != slot_of_queue(shared.queue)) {
      return bad(to_string(*item.id) + " was not made for queue '" + shared.queue + "'; 'rota id --queue " + shared.queue +
                 "' makes ids for it");
    }
  }
  return {};
}

}  // namespace rota::client

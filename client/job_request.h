#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/base/job_id.h"
#include "common/base/job_state.h"
#include "common/base/names.h"
#include "common/base/result.h"
#include "common/wire/message.h"

// What a program hands in. Field meanings, units and defaults: docs/job-lifecycle.md.
namespace rota::client {

using JobOptions = wire::JobOptions;
using StringPair = std::pair<std::string, std::string>;

// The command of an exec job: an argument vector, never a shell line.
struct CommandLine {
  std::vector<std::string> argv;
  std::vector<StringPair> env;  // added to the worker's
  std::string cwd;              // empty: the worker's
  bool operator==(const CommandLine&) const = default;
};

// What many jobs have in common. Jobs that follow each other with an equal template travel as one shared part.
struct JobTemplate {
  std::string queue{kDefaultQueue};
  std::string type{kExecType};
  JobOptions options;
  std::string name;                 // for people
  std::vector<StringPair> headers;  // trace context and the like
  std::optional<CommandLine> command;
  bool operator==(const JobTemplate&) const = default;
};

// What is a job's own. Views live until the call that takes it returns.
struct JobItem {
  std::optional<JobId> id;  // absent: the client makes one. UUIDv7 with the queue's slot; see Client::make_id
  std::string_view payload;
  std::string_view key;
  std::optional<std::int64_t> index;     // of an array
  std::optional<std::string_view> line;  // stands for "{}" in the command
};

// A job by itself, owning its bytes.
struct JobRequest {
  JobTemplate shared;
  std::optional<JobId> id;
  std::string payload;
  std::string key;
};

// Whether the broker would take it, as far as that can be told here: names, sizes, id, options. Errors: BAD_MESSAGE,
// TOO_LARGE.
[[nodiscard]] Status check(const JobTemplate& shared);
[[nodiscard]] Status check(const JobTemplate& shared, const JobItem& item, std::size_t max_payload);

// Numbers the asynchronous submits of one client: 0, 1, 2 …
using Ticket = std::uint64_t;

// How one submit ended. A view: copy what you keep.
struct SubmitResult {
  Ticket ticket = 0;
  // OK or DUPLICATE (the first acceptance, replayed): accepted. Anything else: refused, and why.
  Code code = Code::ok;
  JobId id;  // another than the one asked for where a key was held
  JobState state = JobState::ready;
  Durability durability = Durability::fsync;
  Wall created_at;  // ms 0: just now
  Wall run_at;      // ms 0: at once
  std::string_view message;

  [[nodiscard]] bool accepted() const { return code == Code::ok || code == Code::duplicate; }
};

// An accepted job.
struct Submission {
  JobId id;
  JobState state = JobState::ready;
  Durability durability = Durability::fsync;
  bool duplicate = false;
  Wall created_at;
  Wall run_at;
};

}  // namespace rota::client

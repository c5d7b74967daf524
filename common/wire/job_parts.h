#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "common/base/clock.h"
#include "common/base/job_id.h"
#include "common/base/job_state.h"
#include "common/base/limits.h"
#include "common/base/token.h"

// What a job consists of, as several messages carry it. Part of common/wire/message.h.
namespace rota::wire {

using Pair = std::pair<std::string_view, std::string_view>;

struct Command {
  std::vector<std::string_view> argv;  // at least one
  std::vector<Pair> env;
  std::string_view cwd;  // empty: the worker's
  bool operator==(const Command&) const = default;
};
// What a job is to its worker beyond queue, type and payload. Stored and passed on as the bytes of encode_spec().
struct Spec {
  std::string_view name;  // for people; empty: none
  std::vector<Pair> headers;
  std::optional<Command> command;  // exec jobs
  bool operator==(const Spec&) const = default;
};
// Which task of an array a job is. For a command with a line, every "{}" of argv stands for the line; where there is no
// "{}" the line is appended as the last argument.
struct Selector {
  enum class Kind : std::uint8_t { none, index, line };
  Kind kind = Kind::none;
  std::int64_t index = 0;
  std::string_view line;
  bool operator==(const Selector&) const = default;
};
// How an attempt ended, in full. Stored as the bytes of encode_report().
struct Report {
  std::string_view worker;
  std::optional<std::int32_t> exit_code;
  std::optional<std::int32_t> signal;
  std::string_view error_code;     // "EXEC_FAILED", "EXIT", "TIMED_OUT", a handler's own; empty: none
  std::string_view error_message;  // at most limits::kMaxErrorMessage
  std::string_view result;         // stdout, or the handler's bytes
  std::string_view stderr_tail;    // at most limits::kMaxStderrTail
  bool operator==(const Report&) const = default;
};

struct JobOptions {  // a map with integer keys on the wire; absent keys have these defaults
  std::int8_t priority = 0;
  Millis delay{0};
  Wall run_at;  // ms 0: none
  Millis time_limit{0};
  std::uint32_t retries = 0;
  Millis backoff = limits::kDefaultBackoff;
  std::uint32_t backoff_factor_milli = 2000;
  Millis backoff_max = limits::kDefaultBackoffMax;
  std::uint32_t losses = limits::kDefaultLosses;
  Millis expires{0};
  Millis keep{-1};  // -1: the default; 0: forget at once
  Millis key_for{0};
  Durability durability = Durability::fsync;
  bool stop_on_disconnect = false;
  bool operator==(const JobOptions&) const = default;
};

struct TokenOf {
  JobId id;
  Token token;
  bool operator==(const TokenOf&) const = default;
};

}  // namespace rota::wire

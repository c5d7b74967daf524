#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "common/base/job_state.h"

namespace rota::worker {

// How one run of a job ended, as its handler or command says it. The worker cuts what is over a limit of the protocol.
struct Outcome {
  AttemptEnd end = AttemptEnd::succeeded;
  std::string result;         // any bytes; a handler's over the broker's --max-payload fails with RESULT_TOO_LARGE
  std::string error_code;     // "EXIT", "TIMED_OUT", a handler's own; empty when it succeeded
  std::string error_message;  // a sentence for people
  std::string stderr_tail;
  std::optional<std::int32_t> exit_code;
  std::optional<std::int32_t> signal;

  [[nodiscard]] static Outcome success(std::string result = {}) {
    Outcome outcome;
    outcome.result = std::move(result);
    return outcome;
  }
  // Nothing but the way it ended.
  [[nodiscard]] static Outcome ended(AttemptEnd end) {
    Outcome outcome;
    outcome.end = end;
    return outcome;
  }
  // Run again while retries are left.
  [[nodiscard]] static Outcome failure(std::string code, std::string message) {
    Outcome outcome;
    outcome.end = AttemptEnd::failed;
    outcome.error_code = std::move(code);
    outcome.error_message = std::move(message);
    return outcome;
  }
  // Failed for good: never run again by itself.
  [[nodiscard]] static Outcome rejection(std::string code, std::string message) {
    Outcome outcome = failure(std::move(code), std::move(message));
    outcome.end = AttemptEnd::rejected;
    return outcome;
  }
};

}  // namespace rota::worker

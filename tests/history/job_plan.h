#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "client/job_request.h"
#include "common/base/job_id.h"

// What a job of the load is, derived from its id alone: a client that takes over from a killed one submits the very same
// job again, and a payload that reaches the wrong job shows.
namespace rota::history {

// Types of jobs, by what their handler does.
inline constexpr const char* kShort = "history.short";    // succeeds at once
inline constexpr const char* kLong = "history.long";      // succeeds after the milliseconds that its payload says
inline constexpr const char* kFlaky = "history.flaky";    // fails at its first attempt
inline constexpr const char* kDoomed = "history.doomed";  // is rejected: ends as failed

// How many of a thousand jobs are special.
struct Mix {
  std::uint64_t longs = 0;
  std::uint64_t flaky = 0;
  std::uint64_t doomed = 0;
  std::uint64_t delayed = 0;
  std::uint64_t urgent = 0;  // another priority than 0
  std::uint64_t large = 0;   // payload of up to large_bytes
  std::uint64_t keyed = 0;   // one of 64 keys of the queue
  std::uint64_t long_ms = 3000;
  std::uint64_t large_bytes = 64 * 1024;
  Millis keep{-1};
};

struct Plan {
  client::JobTemplate shared;
  std::string payload;
  std::string key;
};

[[nodiscard]] Plan plan_of(const JobId& id, const std::string& queue, const Mix& mix);
// Equal for jobs with equal templates; for sorting, because such jobs travel best side by side.
[[nodiscard]] std::uint64_t template_key(const JobId& id, const Mix& mix);
// The milliseconds that the payload of a long job says.
[[nodiscard]] std::uint64_t milliseconds_in(std::string_view payload);

}  // namespace rota::history

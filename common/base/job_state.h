#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace rota {

// The numbers of these enums are wire and store format: never change or reuse one.

// docs/job-lifecycle.md draws the machine.
enum class JobState : std::uint8_t {
  scheduled = 0,  // delay or retry wait
  blocked = 1,    // waits for other jobs (reserved)
  ready = 2,
  running = 3,  // leased to a worker
  succeeded = 4,
  failed = 5,
  cancelled = 6,
  expired = 7,
};
inline constexpr std::uint8_t kJobStateCount = 8;

[[nodiscard]] constexpr bool is_final(JobState state) { return state >= JobState::succeeded; }
// A set of states is a number with one bit for each.
[[nodiscard]] constexpr std::uint32_t state_bit(JobState state) { return 1U << static_cast<unsigned>(state); }
inline constexpr std::uint32_t kQueuedStates = state_bit(JobState::scheduled) | state_bit(JobState::ready);
inline constexpr std::uint32_t kFinalStates = state_bit(JobState::succeeded) | state_bit(JobState::failed) |
                                              state_bit(JobState::cancelled) | state_bit(JobState::expired);
[[nodiscard]] std::string_view job_state_name(JobState state);  // "ready"
[[nodiscard]] std::optional<JobState> parse_job_state(std::string_view name);
[[nodiscard]] std::optional<JobState> job_state_from_number(std::uint64_t number);
// "failed,expired" as a set; nothing if a name is unknown or missing.
[[nodiscard]] std::optional<std::uint32_t> parse_job_states(std::string_view names);

// What an acknowledgement of a submit means.
enum class Durability : std::uint8_t {
  fsync = 0,    // synced to disk before the acknowledgement
  written = 1,  // reserved
  memory = 2,   // never stored
};
[[nodiscard]] std::string_view durability_name(Durability durability);
[[nodiscard]] std::optional<Durability> parse_durability(std::string_view name);  // "fsync" or "memory"

// How a worker says that an attempt ended.
enum class AttemptEnd : std::uint8_t {
  succeeded = 0,
  failed = 1,     // retried while retries are left
  rejected = 2,   // failed for good: never retried
  timed_out = 3,  // ended at its time limit; retried like `failed`
  cancelled = 4,  // stopped because the broker asked
  lost = 5,       // the worker lost the run (its spawner died); counted as a loss
  expired = 6,    // not started: `expires` had passed when its turn came
};
[[nodiscard]] std::optional<AttemptEnd> attempt_end_from_number(std::uint64_t number);

}  // namespace rota

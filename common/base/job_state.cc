#include "common/base/job_state.h"

#include <array>

#include "common/base/check.h"

namespace rota {
namespace {

constexpr std::array<std::string_view, kJobStateCount> kStates = {"scheduled", "blocked", "ready",     "running",
                                                                  "succeeded", "failed",  "cancelled", "expired"};

}  // namespace

std::string_view job_state_name(JobState state) {
  const auto number = static_cast<std::size_t>(state);
  ROTA_CHECK(number < kStates.size());
  return kStates[number];
}

std::optional<JobState> parse_job_state(std::string_view name) {
  for (std::uint8_t i = 0; i < kJobStateCount; ++i) {
    if (kStates[i] == name) return static_cast<JobState>(i);
  }
  return std::nullopt;
}

std::optional<JobState> job_state_from_number(std::uint64_t number) {
  if (number >= kJobStateCount) return std::nullopt;
  return static_cast<JobState>(number);
}

std::optional<std::uint32_t> parse_job_states(std::string_view names) {
  std::uint32_t states = 0;
  for (;;) {
    const std::size_t comma = names.find(',');
    const std::optional<JobState> state = parse_job_state(names.substr(0, comma));
    if (!state) return std::nullopt;
    states |= state_bit(*state);
    if (comma == std::string_view::npos) return states;
    names.remove_prefix(comma + 1);
  }
}

std::string_view durability_name(Durability durability) {
  return durability == Durability::memory ? "memory" : durability == Durability::fsync ? "fsync" : "written";
}

std::optional<Durability> parse_durability(std::string_view name) {
  if (name == "fsync") return Durability::fsync;
  if (name == "memory") return Durability::memory;
  return std::nullopt;
}

std::optional<AttemptEnd> attempt_end_from_number(std::uint64_t number) {
  if (number > static_cast<std::uint64_t>(AttemptEnd::expired)) return std::nullopt;
  return static_cast<AttemptEnd>(number);
}

}  // namespace rota

#pragma once

#include <string_view>

namespace rota {

// The rules for names, in one place for all programs and for the broker's own check of every message.

// 1–64 of A-Z a-z 0-9 . _ -
[[nodiscard]] bool is_valid_queue_name(std::string_view name);
// The same rule as for queues.
[[nodiscard]] bool is_valid_type_name(std::string_view name);
// A worker's name: 1–128 printable ASCII characters without space.
[[nodiscard]] bool is_valid_worker_name(std::string_view name);
// Well-formed UTF-8 without control characters, at most `most` bytes (job names, keys, header names and values).
[[nodiscard]] bool is_valid_text(std::string_view text, std::size_t most);

inline constexpr std::string_view kDefaultQueue = "default";
// The type of jobs that run a command.
inline constexpr std::string_view kExecType = "exec";

}  // namespace rota

#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "common/base/clock.h"

namespace rota {

// Durations and sizes as people write them on a command line.

// "500ms", "10s", "5m", "2h", "7d", "1h30m", "0". Units from large to small, each at most once; no sign, no fraction, no
// spaces; at most limits::kMaxDuration. Nothing for anything else.
[[nodiscard]] std::optional<Millis> parse_duration(std::string_view text);
// The shortest form that parses back to the same value: "1h30m", "250ms", "0s".
[[nodiscard]] std::string format_duration(Millis value);

// "100", "100B", "64KiB", "1MiB", "2GiB", "1TiB". Bytes. Nothing for anything else, overflow included.
[[nodiscard]] std::optional<std::uint64_t> parse_size(std::string_view text);
// "1.5 MiB": for people.
[[nodiscard]] std::string format_size(std::uint64_t bytes);

// "2026-11-22T10:15:00Z", with optional fraction and offset (RFC 3339). Nothing for anything else.
[[nodiscard]] std::optional<Wall> parse_time(std::string_view text);
// RFC 3339 in UTC with milliseconds: "2026-11-22T10:15:00.123Z".
[[nodiscard]] std::string format_time(Wall at);

}  // namespace rota

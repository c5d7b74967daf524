#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "common/base/clock.h"
#include "common/base/job_id.h"

namespace rota::server {

// Where a request over many jobs goes on: what LISTED and the slices of purge and retry hand out. Opaque to clients, who
// must bring it back with the request that it came from. It stays good over a restart of the broker.
struct Cursor {
  std::uint8_t stage = 0;  // the request's own
  JobId below;             // ids under this one are still to be looked at; nil: all
  Wall begun;              // when the first request came

  bool operator==(const Cursor&) const = default;
};

// What a cursor belongs to: a number that another request hardly shares. Pieces are told apart.
[[nodiscard]] std::uint64_t request_mark(std::initializer_list<std::string_view> pieces, std::uint64_t number);

[[nodiscard]] std::string encode_cursor(const Cursor& cursor, std::uint64_t mark);
// Nothing: not a cursor, or of another request.
[[nodiscard]] std::optional<Cursor> decode_cursor(std::string_view bytes, std::uint64_t mark);

// For requests whose arguments are texts.
[[nodiscard]] std::string to_hex(std::string_view bytes);
[[nodiscard]] std::optional<std::string> from_hex(std::string_view text);

}  // namespace rota::server

#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "client/job_request.h"
#include "common/program/options.h"

// Values of rota's own options: what each takes, and what it says to anything else.
namespace rota::cli {

[[nodiscard]] program::Options::Taker queue_name(std::string& target);
[[nodiscard]] program::Options::Taker type_name(std::string& target);
[[nodiscard]] program::Options::Taker text_up_to(std::string& target, std::size_t most);
[[nodiscard]] program::Options::Taker time_of_day(Wall& target);                            // RFC 3339
[[nodiscard]] program::Options::Taker name_value(std::vector<client::StringPair>& target);  // K=V, appended
[[nodiscard]] program::Options::Taker backoff(client::JobOptions& target);                  // DUR[,FACTOR[,MAX]]
[[nodiscard]] program::Options::Taker durability(Durability& target);
// A duration, remembering that it was given.
[[nodiscard]] program::Options::Taker given_duration(std::optional<Millis>& target);
[[nodiscard]] program::Options::Taker given_text(std::optional<std::string>& target);
[[nodiscard]] program::Options::Taker job_id(std::optional<JobId>& target);

// Job states by name, separated by commas, each one of `allowed` (state_bit()).
[[nodiscard]] program::Options::Taker job_states(std::uint32_t& target, std::uint32_t allowed);
// "scheduled, ready or failed".
[[nodiscard]] std::string state_names(std::uint32_t states);

// The cursor of a list: bytes here, hex digits towards people.
[[nodiscard]] program::Options::Taker list_cursor(std::string& target);
[[nodiscard]] std::string hex_text(std::string_view bytes);

// Where a broker or its workers' side is reached.
[[nodiscard]] program::Options::Taker endpoint(std::string& target);

// "A-B" or "A-B:STEP": the indexes A, A+STEP … up to B.
struct IndexRange {
  std::int64_t first = 0;
  std::int64_t last = 0;
  std::int64_t step = 1;
  [[nodiscard]] std::uint64_t count() const {
    return (static_cast<std::uint64_t>(last) - static_cast<std::uint64_t>(first)) / static_cast<std::uint64_t>(step) + 1;
  }
};
[[nodiscard]] Result<IndexRange> parse_index_range(std::string_view text);
[[nodiscard]] program::Options::Taker index_range(std::optional<IndexRange>& target);

}  // namespace rota::cli

#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace rota {

// The codes of the protocol (docs/protocol.md, "Codes"). The numbers are wire format: never change or reuse one.
enum class Code : std::uint8_t {
  ok = 0,
  duplicate = 1,       // same id, same content: the first acceptance is replayed
  retry_later = 2,     // a limit is reached; try again after the hint
  moved = 3,           // another broker owns this slot
  no_session = 4,      // say HELLO first
  version = 5,         // no common protocol version
  bad_message = 6,     // not a message of this protocol, or a field breaks a rule
  too_large = 7,       // over a declared limit
  forbidden = 8,       // not permitted
  not_found = 9,       // no such job, queue or worker
  gone = 10,           // the job is not known any more (answer to a token)
  conflict = 11,       // contradicts what is there
  stale = 12,          // the token was superseded
  cancelled = 13,      // the job was cancelled
  timed_out = 14,      // the attempt ran past its time limit
  shutting_down = 15,  // the peer is stopping
  store_full = 16,     // no room for new jobs
  internal = 17,       // a fault of the broker
};

inline constexpr std::uint8_t kCodeCount = 18;

// "OK", "RETRY_LATER", ...: the spelling users meet.
[[nodiscard]] std::string_view code_name(Code code);
// The code of that number, if there is one.
[[nodiscard]] std::optional<Code> code_from_number(std::uint64_t number);
// Whether sending the same request again can succeed without anything else changing.
[[nodiscard]] bool is_retryable(Code code);

}  // namespace rota

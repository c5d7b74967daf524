#pragma once

#include <optional>
#include <string_view>

#include "common/wire/message.h"

namespace rota::wire {

// How a frame begins: [type, request, …].
struct Envelope {
  MessageType type{};
  Request request = 0;
};

// The beginning alone, in a time that does not depend on how long the frame is. Nothing is said about the rest; nothing is
// returned if the beginning is none.
[[nodiscard]] std::optional<Envelope> peek(std::string_view frame);

}  // namespace rota::wire

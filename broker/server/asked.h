#pragma once

#include <cstdint>
#include <string_view>

#include "broker/server/outbox.h"
#include "broker/server/parking.h"
#include "broker/server/sessions.h"
#include "common/base/clock.h"
#include "common/wire/message.h"

namespace rota::server {

// A frame that the engine is handling.
struct Asked {
  Side side = Side::client;
  Route route = 0;
  Peer* peer = nullptr;
  std::string_view frame;
  wire::Request request = 0;
  const Known* known = nullptr;  // what was read for it
  std::uint32_t looks = 0;       // how often it was read for
  bool resumed = false;          // it is the head of its peer's parked frames
  bool parked = false;           // while handled: it waits (again)
  Now now;
};

// What the effects that the engine is processing answer.
struct Current {
  enum class Kind : std::uint8_t { none, submit, cancel_or_retry, hello, bulk } kind = Kind::none;
  wire::Request request = 0;
  bool notify = false;
  const wire::Hello* hello = nullptr;  // kind hello only
  Now now;                             // kind hello only
};

}  // namespace rota::server

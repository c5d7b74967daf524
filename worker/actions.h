#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "common/wire/message.h"

// What a worker's core wants done by whoever drives it.
namespace rota::worker {

// A job in a core's table. Dead once the job has left it: a later use is recognised by `generation` and ignored.
struct Handle {
  std::uint32_t index = 0;
  std::uint32_t generation = 0;
  bool operator==(const Handle&) const = default;
};

enum class StopReason : std::uint8_t { none, cancelled, time_limit, lost_contact, superseded, killed };

struct Stop {
  Handle job;
  StopReason reason = StopReason::none;
  bool force = false;  // end it now, not politely
};

// Why a worker ended.
struct Ending {
  enum class Kind : std::uint8_t { drained, killed, refused, broken };
  Kind kind = Kind::drained;
  Code code = Code::ok;  // of a refusal
  std::string message;   // for people; empty when it drained
};

struct Notice {
  enum class Kind : std::uint8_t { registered, lost_contact, back, waiting, trouble };
  Kind kind = Kind::registered;
  std::string text;
};

// What a call wants done, in this order: send everything, then start, then stop. Views in `send` live until the next call.
struct Actions {
  std::vector<wire::Message> send;
  std::vector<Handle> start;
  std::vector<Stop> stop;
  std::vector<Notice> notices;
  bool reconnect = false;  // drop the socket, connect a new one, then try to send hello()

  void clear();
};

}  // namespace rota::worker

#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "broker/queue/command.h"

namespace rota::server {

// Which of the two sockets. Routing ids, rights and messages differ.
enum class Side : std::uint8_t { client, worker };

// The server's number for a peer's connection. Never 0, never used twice in a process; also the core's ClientRef.
using Route = std::uint64_t;
static_assert(sizeof(Route) == sizeof(queue::ClientRef));

// Where the engine's frames go: sockets in the program, a list in tests, a simulated network in the simulator. What is
// sent on one route arrives in order or not at all. A call must not call back into the engine.
class Outbox {
 public:
  virtual ~Outbox() = default;
  // Copies what it keeps. Says nothing about arrival; a route that turns out dead is told by Engine::on_closed().
  virtual void send(Side side, Route route, std::string_view frame) = 0;
  // Bytes that the peer leaves unread, as far as is known: what it asks for beside is put off. 0 where nobody counts.
  [[nodiscard]] virtual std::size_t unread(Side /*side*/, Route /*route*/) const { return 0; }
  // Nobody speaks on this route any more: whatever is kept for it can go. A later frame of that peer gets a new route.
  virtual void forget(Side side, Route route) = 0;
};

}  // namespace rota::server

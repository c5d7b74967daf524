#pragma once

#include <cstdint>
#include <functional>
#include <string>

namespace rota::net {

// A TCP connection of this process as the kernel sees it. libzmq takes the frames of a message that never ends without any
// limit and shows none of them; what a connection has brought shows it all the same.
struct Connection {
  int fd = -1;
  std::string peer;            // its address, to tell it from a later connection with the same descriptor
  std::uint64_t received = 0;  // bytes that were read from it since it began
};

// Calls `visit` for every established connection to the local `port`. Looks at every descriptor of the process.
void each_connection(std::uint16_t port, const std::function<void(const Connection&)>& visit);
// The peer's address behind a descriptor; empty if it is no connection (any more).
[[nodiscard]] std::string peer_of(int fd);
// Ends the connection. Whoever owns the descriptor sees its end and closes it. Nothing happens if `fd` is another one by
// now.
void cut(const Connection& connection);

}  // namespace rota::net

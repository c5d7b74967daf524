#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

// Endpoints as people write them. Pure text; resolves nothing.
namespace rota::net {

// "tcp://host:port" taken apart; nothing if it is not of that form. Port "*" is 0. IPv6 hosts stand in brackets and keep
// them.
struct EndpointParts {
  std::string host;
  std::uint16_t port = 0;
};
[[nodiscard]] std::optional<EndpointParts> parse_tcp_endpoint(std::string_view endpoint);
// Whether only this machine can reach it (loopback address, ipc, inproc).
[[nodiscard]] bool is_loopback_endpoint(std::string_view endpoint);
// `advertised` with a host of "*" replaced by the host of `reached_by`.
[[nodiscard]] std::string resolve_advertised(std::string_view advertised, std::string_view reached_by);

}  // namespace rota::net

#include "common/net/endpoint.h"

#include <charconv>

namespace rota::net {

std::optional<EndpointParts> parse_tcp_endpoint(std::string_view endpoint) {
  constexpr std::string_view kScheme = "tcp://";
  if (!endpoint.starts_with(kScheme)) return std::nullopt;
  endpoint.remove_prefix(kScheme.size());
  const std::size_t colon = endpoint.rfind(':');
  if (colon == std::string_view::npos || colon == 0) return std::nullopt;
  const std::string_view host = endpoint.substr(0, colon);
  const std::string_view port = endpoint.substr(colon + 1);
  const bool bracketed = host.starts_with('[') && host.ends_with(']') && host.size() > 2;
  if (!bracketed && host.find_first_of(":[]/ ") != std::string_view::npos) return std::nullopt;
  EndpointParts parts{std::string(host), 0};
  if (port == "*") return parts;
  const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), parts.port);
  if (error != std::errc{} || end != port.data() + port.size()) return std::nullopt;
  return parts;
}

bool is_loopback_endpoint(std::string_view endpoint) {
  if (endpoint.starts_with("ipc://") || endpoint.starts_with("inproc://")) return true;
  const auto parts = parse_tcp_endpoint(endpoint);
  if (!parts) return false;
  // "127.evil.example" is a name, not an address of 127/8.
  const bool ipv4_loopback =
      parts->host.starts_with("127.") && parts->host.find_first_not_of("0123456789.") == std::string::npos;
  return ipv4_loopback || parts->host == "localhost" || parts->host == "[::1]";
}

std::string resolve_advertised(std::string_view advertised, std::string_view reached_by) {
  const auto offered = parse_tcp_endpoint(advertised);
  const auto reached = parse_tcp_endpoint(reached_by);
  if (!offered || !reached || offered->host != "*") return std::string(advertised);
  return "tcp://" + reached->host + ":" + std::to_string(offered->port);
}

}  // namespace rota::net

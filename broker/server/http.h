#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "broker/server/metrics.h"
#include "common/base/result.h"

namespace rota::server {

// GET /healthz (200 while the loop turns, 503 otherwise) and GET /metrics, on threads of its own. Knows nothing of the
// core: what it shows comes through the exchange.
class HttpServer {
 public:
  // Port 0 takes a free one. Errors: CONFLICT (address in use or not ours), naming the address. `metrics` must outlive it.
  [[nodiscard]] static Result<HttpServer> start(const std::string& host, std::uint16_t port, MetricsExchange& metrics);
  ~HttpServer();
  HttpServer(HttpServer&&) noexcept;
  HttpServer& operator=(HttpServer&&) noexcept;

  [[nodiscard]] std::uint16_t port() const;

 private:
  struct State;
  explicit HttpServer(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace rota::server

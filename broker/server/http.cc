#include "broker/server/http.h"

#include <httplib.h>

#include <thread>
#include <utility>

namespace rota::server {
namespace {

constexpr std::size_t kThreads = 4;  // scrapes are short and few
constexpr time_t kReadSeconds = 5;   // for a request line that dribbles in
constexpr Millis kPatience{2000};    // for the loop's next turn
constexpr std::size_t kMaxRequestBody = 4096;

}  // namespace

struct HttpServer::State {
  httplib::Server server;
  std::uint16_t port = 0;
  std::thread thread;
};

HttpServer::HttpServer(std::unique_ptr<State> state) : state_(std::move(state)) {}
HttpServer::HttpServer(HttpServer&&) noexcept = default;
HttpServer& HttpServer::operator=(HttpServer&&) noexcept = default;

HttpServer::~HttpServer() {
  if (state_ == nullptr) return;
  state_->server.stop();
  if (state_->thread.joinable()) state_->thread.join();
}

std::uint16_t HttpServer::port() const { return state_->port; }

Result<HttpServer> HttpServer::start(const std::string& host, std::uint16_t port, MetricsExchange& metrics) {
  auto state = std::make_unique<State>();
  httplib::Server& server = state->server;
  server.new_task_queue = [] { return new httplib::ThreadPool(kThreads); };  // the server owns and deletes it
  server.set_read_timeout(kReadSeconds);
  server.set_payload_max_length(kMaxRequestBody);
  // The library's default lets a second process share the port silently.
  server.set_socket_options([](socket_t socket) {
    const int yes = 1;
    ::setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  });
  server.Get("/healthz", [&metrics](const httplib::Request&, httplib::Response& response) {
    const bool turns = metrics.fetch(kPatience) != nullptr;
    response.status = turns ? 200 : 503;
    response.set_content(turns ? "ok\n" : "the broker does not answer\n", "text/plain");
  });
  server.Get("/metrics", [&metrics](const httplib::Request&, httplib::Response& response) {
    const auto snapshot = metrics.fetch(kPatience);
    if (snapshot == nullptr) {
      response.status = 503;
      response.set_content("the broker does not answer\n", "text/plain");
      return;
    }
    response.set_content(to_prometheus(*snapshot, read_process_figures()), "text/plain; version=0.0.4");
  });
  if (port == 0) {
    const int bound = server.bind_to_any_port(host);
    if (bound <= 0)
      return Error{Code::conflict, "cannot bind http://" + host +
                                       ": no free port, or not an address of this host; give another with --http"};
    state->port = static_cast<std::uint16_t>(bound);
  } else {
    if (!server.bind_to_port(host, port)) {
      return Error{Code::conflict,
                   "cannot bind http://" + host + ":" + std::to_string(port) +
                       ": another process has this address, or it is not one of this host; give another with --http"};
    }
    state->port = port;
  }
  state->thread = std::thread([raw = state.get()] { raw->server.listen_after_bind(); });
  // stop() before the server runs would be lost.
  while (!server.is_running()) std::this_thread::yield();
  return HttpServer(std::move(state));
}

}  // namespace rota::server

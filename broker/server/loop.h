#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "broker/queue/core.h"
#include "broker/server/engine.h"
#include "broker/server/guard.h"
#include "broker/server/metrics.h"
#include "broker/server/peers.h"
#include "broker/server/store_threads.h"
#include "broker/store/store.h"
#include "common/base/result.h"
#include "common/net/socket.h"

namespace spdlog {
class logger;
}

namespace rota::server {

// The one thread that owns sockets and core. A turn: wait; take what the store finished; drain workers, then clients,
// under a budget; end the turn; send.
class Loop {
 public:
  struct Parts {
    queue::Core& core;
    store::Store& store;
    store::Store& volatile_store;
    MetricsExchange& metrics;
    spdlog::logger& log;
  };
  // `stop_fd` becomes readable when the broker is to stop (a signalfd).
  Loop(EngineOptions options, const Parts& parts, net::Router clients, net::Router workers, int stop_fd);
  ~Loop();

  // Serves until told to stop. Ok: everything decided is on disk and peers were told. An error: nothing can be trusted any
  // more, the process must end without sending anything.
  [[nodiscard]] Status run();

 private:
  // Routes by side to the two sockets.
  class Sockets final : public Outbox {
   public:
    Sockets(net::Router clients, net::Router workers);
    void send(Side side, Route route, std::string_view frame) override { peers(side).send(route, frame); }
    void forget(Side side, Route route) override { peers(side).forget(route); }
    [[nodiscard]] std::size_t unread(Side side, Route route) const override {
      return (side == Side::client ? clients_ : workers_).unread(route);
    }
    [[nodiscard]] Peers& peers(Side side) { return side == Side::client ? clients_ : workers_; }

   private:
    std::uint64_t next_route_ = 1;
    Peers clients_, workers_;
  };

  void wait_for_work();
  [[nodiscard]] Millis patience(Now now) const;
  [[nodiscard]] Status take_done();
  void drain(Side side);
  // Whether its sender sent too much ahead, and was told to come again.
  [[nodiscard]] bool turn_away(Peers& peers, Route route);
  void tell_closed(Side side);
  void watch_connections();
  [[nodiscard]] Status stop();

  MetricsExchange& metrics_;
  void note_store();

  spdlog::logger& log_;
  bool store_full_ = false;
  store::Store& store_;
  store::Store& volatile_store_;
  Sockets sockets_;
  StoreThreads threads_;
  Guard guard_;
  Engine engine_;
  int stop_fd_;
  bool more_waits_ = false;  // a socket had more than its budget
  bool blocked_ = false;     // a peer has no room
  bool stop_asked_ = false;
  bool metrics_wanted_ = false;
  std::string refusal_;  // scratch
  std::vector<Route> closed_;
  std::vector<std::string> undelivered_;
  StoreThreads::Done done_;
};

}  // namespace rota::server

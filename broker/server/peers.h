#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include <absl/container/flat_hash_map.h>
#include <absl/container/flat_hash_set.h>

#include "broker/server/outbox.h"
#include "common/net/socket.h"

namespace rota::server {

// One ROUTER and the peers behind it: gives connections their route numbers, sends, and keeps what the library does not
// take yet. Per peer at most limits::kMaxOutboxBytes wait; a peer that leaves more unread is closed. Not thread-safe.
class Peers {
 public:
  // `next_route` is shared by both sides, so that numbers are unique in the process. `keep_undelivered`: frames that
  // certainly never left are kept for take_undelivered().
  Peers(net::Router router, std::uint64_t& next_route, bool keep_undelivered)
      : router_(std::move(router)), next_route_(next_route), keep_undelivered_(keep_undelivered) {}

  // False: nothing waits. `route` is the sender's, a new one if it is new. `frame()` lives until the next receive().
  [[nodiscard]] bool receive(Route& route);
  [[nodiscard]] bool malformed() const { return received_.malformed; }
  [[nodiscard]] std::string_view frame() const { return received_.frame.view(); }

  void send(Route route, std::string_view frame);
  void forget(Route route);
  // Tries again to send what waits. True: something still waits.
  bool flush();
  // Routes that died since the last call: unreachable, or over the limit.
  void take_closed(std::vector<Route>& out);
  // Frames to peers without a connection since the last call: the library never took them.
  void take_undelivered(std::vector<std::string>& out);

  struct Sent {
    std::uint64_t frames = 0, bytes = 0;  // that the library took
    std::uint64_t waiting_bytes = 0;      // that it does not take yet
    std::uint64_t overflows = 0;          // peers closed because they left too much unread
    friend Sent operator+(const Sent& a, const Sent& b) {
      return {a.frames + b.frames, a.bytes + b.bytes, a.waiting_bytes + b.waiting_bytes, a.overflows + b.overflows};
    }
  };
  [[nodiscard]] const Sent& sent() const { return sent_; }
  [[nodiscard]] net::Router& router() { return router_; }

 private:
  struct Peer {
    net::RoutingId id;
    std::deque<std::string> waiting;
    std::size_t waiting_bytes = 0;
    bool closed = false;
  };
  void close(Route route, Peer& peer);
  void drop(std::string_view frame);
  void count_sent(std::string_view frame) {
    ++sent_.frames;
    sent_.bytes += frame.size();
  }

  net::Router router_;
  std::uint64_t& next_route_;
  net::Router::Received received_;
  absl::flat_hash_map<net::RoutingId, Route> routes_;
  absl::flat_hash_map<Route, Peer> peers_;
  absl::flat_hash_set<Route> blocked_;
  bool keep_undelivered_;
  std::vector<Route> closed_;
  std::vector<std::string> undelivered_;
  Sent sent_;
};

}  // namespace rota::server

#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <absl/container/flat_hash_map.h>
#include <absl/container/flat_hash_set.h>

#include "broker/server/outbox.h"
#include "common/base/keyed_hash.h"
#include "common/net/connections.h"
#include "common/net/endpoint.h"
#include "common/net/socket.h"

namespace rota::server {

// One ROUTER and the peers behind it: gives connections their route numbers, sends, and keeps what the library does not
// take yet, or should not: it would take messages without regard to their size. Per peer at most limits::kMaxOutboxBytes
// wait, and limits::kMaxOutboxTotal in all; a peer that leaves more unread is closed, or the one that leaves the most. Not
// thread-safe.
class Peers {
 public:
  // `next_route` is shared by both sides, so that numbers are unique in the process. Of workers' frames those that
  // certainly never left are kept for take_undelivered(), and the library takes what the core hands out: the core bounds
  // that.
  Peers(Side side, net::Router router, std::uint64_t& next_route)
      : side_(side),
        router_(std::move(router)),
        port_(net::parse_tcp_endpoint(router_.endpoint()) ? net::parse_tcp_endpoint(router_.endpoint())->port : 0),
        next_route_(next_route) {}

  // False: nothing waits. `route` is the sender's, a new one if it is new. `frame()` lives until the next receive().
  [[nodiscard]] bool receive(Route& route);
  [[nodiscard]] bool malformed() const { return received_.malformed; }
  [[nodiscard]] std::string_view frame() const { return received_.frame.view(); }

  void send(Route route, std::string_view frame);
  void forget(Route route);
  // Bytes that the peer has not read: what waits, and what the library holds of large frames.
  [[nodiscard]] std::size_t unread(Route route) const;
  // Bytes that came as messages over that connection, whatever its peers were called meanwhile.
  [[nodiscard]] std::uint64_t delivered(const net::Connection& connection) const;
  // Of the connection that the last message came over: what it had brought at the last look and what was not read then and
  // is not now.
  [[nodiscard]] std::uint64_t ahead() const {
    return last_wire_ != nullptr && last_wire_->brought > last_wire_->delivered
               ? last_wire_->brought - last_wire_->delivered
               : 0;
  }
  void note_brought(const net::Connection& connection);
  // How often every connection that had a whole message was served since the start: receive() found nothing more, or took
  // more messages than there are connections, which it serves in turn. `connections`: as many as there are.
  [[nodiscard]] std::uint64_t rounds() const { return rounds_; }
  void note_connections(std::size_t connections) { connections_ = connections; }
  [[nodiscard]] std::uint16_t port() const { return port_; }
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
  // A connection: what came over it.
  struct Wire {
    std::string address;          // to tell it from a later one with the same descriptor
    std::uint64_t delivered = 0;  // bytes of its messages
    std::uint64_t brought = 0;    // bytes that were read from it when somebody last looked
  };
  struct Peer {
    net::RoutingId id;
    std::deque<std::string> waiting;
    std::size_t waiting_bytes = 0;
    std::shared_ptr<Wire> wire;  // it came over; null if that was gone at once
    net::Router::Unread held = std::make_shared<std::atomic<std::size_t>>(0);  // by the library
    bool closed = false;
  };
  void note_round(bool is_dry);
  [[nodiscard]] std::shared_ptr<Wire> wire_of(int fd);
  [[nodiscard]] net::SendResult pass_on(const Peer& peer, std::string_view frame);
  void keep(Route route, Peer& peer, std::string_view frame);
  void close(Route route, Peer& peer);
  void close_largest();
  void drop(std::string_view frame);
  void count_sent(std::string_view frame) {
    ++sent_.frames;
    sent_.bytes += frame.size();
  }

  // A peer may choose its own.
  struct RoutingHash {
    std::size_t operator()(const net::RoutingId& id) const { return keyed_hash(id); }
  };

  Side side_;
  net::Router router_;
  std::uint16_t port_;
  std::uint64_t& next_route_;
  net::Router::Received received_;
  absl::flat_hash_map<net::RoutingId, Route, RoutingHash> routes_;
  absl::flat_hash_map<Route, Peer> peers_;
  std::shared_ptr<Wire> last_wire_;                        // of the last message; null if it is not known
  absl::flat_hash_map<int, std::shared_ptr<Wire>> wires_;  // by descriptor; of an ended one until the next with its number
  std::uint64_t rounds_ = 0;
  std::size_t in_round_ = 0;  // messages since the last one began
  std::size_t connections_ = 0;
  absl::flat_hash_set<Route> blocked_;
  std::vector<Route> closed_;
  std::vector<std::string> undelivered_;
  Sent sent_;
};

}  // namespace rota::server

#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <absl/container/flat_hash_map.h>

#include "broker/queue/command.h"
#include "broker/server/held_bytes.h"
#include "broker/server/outbox.h"
#include "common/base/clock.h"

namespace rota::server {

// What the server knows of one connection.
struct Peer {
  Side side = Side::client;
  bool welcomed = false;  // said HELLO and was taken
  Steady heard;           // last message
  HeldBytes held;         // messages for it that batches hold; see Pipeline
  std::uint32_t parked = 0;
  // of a welcomed worker:
  queue::SessionRef session = queue::kNoSession;
};

// What the server remembers of a worker's HELLO beyond what the core does.
struct WorkerDetails {
  Route route = 0;
  std::uint64_t binding = 0;  // a number of its own for each HELLO; set by Sessions::bind()
  std::string name;
  std::string software;
  std::string labels;  // "gpu=1,zone=b"
};

// Connections and worker sessions. Bounded: over the limits a new peer is not taken.
class Sessions {
 public:
  Sessions();

  // The peer on that route, made at its first message. Null: the limit for its side is reached. Updates `heard`. Valid
  // until the next call that adds or removes.
  [[nodiscard]] Peer* hear(Side side, Route route, Now now);
  [[nodiscard]] Peer* find(Route route);

  // Binds a worker's session to the connection that said HELLO. Returns the route that lost it, or 0.
  Route bind(queue::SessionRef session, Route route, WorkerDetails details);
  // Ends a session. Returns the route it was bound to, or 0.
  Route end(queue::SessionRef session);
  // Null: no such session.
  [[nodiscard]] const WorkerDetails* worker(queue::SessionRef session) const;

  void remove(Route route);
  // Routes not heard for limits::kPeerSilence that hold no worker session; looks at most once a second.
  void silent(Now now, std::vector<Route>& out);

  [[nodiscard]] std::size_t clients() const { return clients_; }
  [[nodiscard]] std::size_t workers() const { return workers_.size(); }
  // Every welcomed peer, in no order.
  template <typename Visit>
  void each_welcomed(Visit visit) const {
    for (const auto& [route, peer] : peers_) {
      if (peer.welcomed) visit(route, peer);
    }
  }

 private:
  absl::flat_hash_map<Route, Peer> peers_;
  absl::flat_hash_map<queue::SessionRef, WorkerDetails> workers_;
  std::size_t clients_ = 0;       // peers on the clients' side
  std::size_t worker_peers_ = 0;  // peers on the workers' side
  std::uint64_t bindings_ = 0;
  Steady looked_;
};

}  // namespace rota::server

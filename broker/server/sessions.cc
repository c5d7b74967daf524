#include "broker/server/sessions.h"

#include <utility>

#include "common/base/limits.h"

namespace rota::server {

Sessions::Sessions() = default;

Peer* Sessions::hear(Side side, Route route, Now now) {
  const auto it = peers_.find(route);
  if (it != peers_.end()) {
    it->second.heard = now.steady;
    return &it->second;
  }
  std::size_t& count = side == Side::client ? clients_ : worker_peers_;
  // A worker that comes back may have an old connection beside its new one for a while: twice the limit.
  const std::size_t most = side == Side::client ? limits::kMaxClients : 2 * limits::kMaxWorkers;
  if (count >= most) return nullptr;
  ++count;
  Peer peer;
  peer.side = side;
  peer.heard = now.steady;
  return &peers_.emplace(route, peer).first->second;
}

Peer* Sessions::find(Route route) {
  const auto it = peers_.find(route);
  return it == peers_.end() ? nullptr : &it->second;
}

Route Sessions::bind(queue::SessionRef session, Route route, WorkerDetails details) {
  Route lost = 0;
  WorkerDetails& known = workers_[session];
  if (known.route != 0 && known.route != route) {
    lost = known.route;
    if (Peer* old = find(lost); old != nullptr) {
      old->welcomed = false;
      old->session = queue::kNoSession;
    }
  }
  known = std::move(details);
  known.route = route;
  known.binding = ++bindings_;
  if (Peer* peer = find(route); peer != nullptr) {
    peer->welcomed = true;
    peer->session = session;
  }
  return lost;
}

Route Sessions::end(queue::SessionRef session) {
  const auto it = workers_.find(session);
  if (it == workers_.end()) return 0;
  const Route route = it->second.route;
  workers_.erase(it);
  if (Peer* peer = find(route); peer != nullptr && peer->session == session) {
    peer->welcomed = false;
    peer->session = queue::kNoSession;
    return route;
  }
  return 0;
}

const WorkerDetails* Sessions::worker(queue::SessionRef session) const {
  const auto it = workers_.find(session);
  return it == workers_.end() ? nullptr : &it->second;
}

void Sessions::remove(Route route) {
  const auto it = peers_.find(route);
  if (it == peers_.end()) return;
  if (it->second.session != queue::kNoSession) {
    // The session lives on without a connection until its lease ends or the worker is back.
    const auto worker = workers_.find(it->second.session);
    if (worker != workers_.end() && worker->second.route == route) worker->second.route = 0;
  }
  --(it->second.side == Side::client ? clients_ : worker_peers_);
  peers_.erase(it);
}

void Sessions::silent(Now now, std::vector<Route>& out) {
  if (now.steady < looked_ + Millis{1000}) return;
  looked_ = now.steady;
  for (const auto& [route, peer] : peers_) {
    if (peer.session == queue::kNoSession && peer.parked == 0 && peer.heard + limits::kPeerSilence < now.steady) {
      out.push_back(route);
    }
  }
}

}  // namespace rota::server

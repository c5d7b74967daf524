#include "broker/server/peers.h"

#include <algorithm>
#include <utility>

#include "common/base/peer_limits.h"

namespace rota::server {

bool Peers::receive(Route& route) {
  if (!router_.receive(received_)) return false;
  const auto [at, is_new] = routes_.try_emplace(received_.from, 0);
  if (is_new) {
    at->second = next_route_++;
    Peer& peer = peers_[at->second];
    peer.id = received_.from;
    peer.fd = received_.frame.source_fd();
    if (peer.fd >= 0) {
      peer.address = net::peer_of(peer.fd);
      by_fd_[peer.fd] = at->second;
    }
  }
  route = at->second;
  peers_.find(route)->second.delivered += received_.bytes;
  return true;
}

void Peers::send(Route route, std::string_view frame) {
  const auto it = peers_.find(route);
  if (it == peers_.end() || it->second.closed) return drop(frame);
  Peer& peer = it->second;
  if (peer.waiting.empty()) {
    const net::SendResult result = pass_on(peer, frame);
    if (result == net::SendResult::sent) return count_sent(frame);
    if (result == net::SendResult::unreachable) {
      close(route, peer);
      return drop(frame);
    }
  }
  keep(route, peer, frame);
}

net::SendResult Peers::pass_on(const Peer& peer, std::string_view frame) {
  if (peer.held->load(std::memory_order_relaxed) > limits::kMaxInLibrary) return net::SendResult::would_block;
  return router_.send(peer.id, frame, peer.held);
}

void Peers::keep(Route route, Peer& peer, std::string_view frame) {
  if (peer.waiting_bytes + frame.size() > limits::kMaxOutboxBytes) {
    ++sent_.overflows;
    close(route, peer);
    return drop(frame);
  }
  peer.waiting.emplace_back(frame);
  peer.waiting_bytes += frame.size();
  sent_.waiting_bytes += frame.size();
  blocked_.insert(route);
  if (sent_.waiting_bytes > limits::kMaxOutboxTotal) close_largest();
}

void Peers::close_largest() {
  const auto by_bytes = [this](Route a, Route b) { return peers_.at(a).waiting_bytes < peers_.at(b).waiting_bytes; };
  const Route route = *std::max_element(blocked_.begin(), blocked_.end(), by_bytes);
  ++sent_.overflows;
  close(route, peers_.at(route));
}

std::uint64_t Peers::delivered(const net::Connection& connection) const {
  const auto known = by_fd_.find(connection.fd);
  if (known == by_fd_.end()) return 0;
  const Peer& peer = peers_.at(known->second);
  return peer.address == connection.peer ? peer.delivered : 0;
}

std::size_t Peers::unread(Route route) const {
  const auto it = peers_.find(route);
  return it == peers_.end() ? 0 : it->second.waiting_bytes + it->second.held->load(std::memory_order_relaxed);
}

void Peers::close(Route route, Peer& peer) {
  peer.closed = true;
  sent_.waiting_bytes -= peer.waiting_bytes;
  peer.waiting_bytes = 0;
  for (const std::string& frame : peer.waiting) drop(frame);
  peer.waiting.clear();
  blocked_.erase(route);
  closed_.push_back(route);
}

void Peers::drop(std::string_view frame) {
  if (keep_undelivered_) undelivered_.emplace_back(frame);
}

bool Peers::flush() {
  if (blocked_.empty()) return false;
  const std::vector<Route> routes(blocked_.begin(), blocked_.end());
  for (const Route route : routes) {
    Peer& peer = peers_.at(route);
    while (!peer.waiting.empty()) {
      const net::SendResult result = pass_on(peer, peer.waiting.front());
      if (result == net::SendResult::would_block) break;
      if (result == net::SendResult::unreachable) {
        close(route, peer);
        break;
      }
      count_sent(peer.waiting.front());
      peer.waiting_bytes -= peer.waiting.front().size();
      sent_.waiting_bytes -= peer.waiting.front().size();
      peer.waiting.pop_front();
    }
    if (peer.waiting.empty()) blocked_.erase(route);
  }
  return !blocked_.empty();
}

void Peers::forget(Route route) {
  const auto it = peers_.find(route);
  if (it == peers_.end()) return;
  sent_.waiting_bytes -= it->second.waiting_bytes;
  blocked_.erase(route);
  const auto at = by_fd_.find(it->second.fd);
  if (at != by_fd_.end() && at->second == route) by_fd_.erase(at);
  const auto known = routes_.find(it->second.id);
  if (known != routes_.end() && known->second == route) routes_.erase(known);
  peers_.erase(it);
}

void Peers::take_closed(std::vector<Route>& out) {
  out.clear();
  std::swap(out, closed_);
}

void Peers::take_undelivered(std::vector<std::string>& out) {
  out.clear();
  std::swap(out, undelivered_);
}

}  // namespace rota::server

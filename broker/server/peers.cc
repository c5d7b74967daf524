#include "broker/server/peers.h"

#include <utility>

#include "common/base/limits.h"

namespace rota::server {

bool Peers::receive(Route& route) {
  if (!router_.receive(received_)) return false;
  const auto [at, is_new] = routes_.try_emplace(received_.from, 0);
  if (is_new) {
    at->second = next_route_++;
    peers_[at->second].id = received_.from;
  }
  route = at->second;
  return true;
}

void Peers::send(Route route, std::string_view frame) {
  const auto it = peers_.find(route);
  if (it == peers_.end() || it->second.closed) return drop(frame);
  Peer& peer = it->second;
  if (peer.waiting.empty()) {
    const net::SendResult result = router_.send(peer.id, frame);
    if (result == net::SendResult::sent) return count_sent(frame);
    if (result == net::SendResult::unreachable) {
      close(route, peer);
      return drop(frame);
    }
  }
  if (peer.waiting_bytes + frame.size() > limits::kMaxOutboxBytes) {
    ++sent_.overflows;
    close(route, peer);
    return drop(frame);
  }
  peer.waiting.emplace_back(frame);
  peer.waiting_bytes += frame.size();
  sent_.waiting_bytes += frame.size();
  blocked_.insert(route);
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
      const net::SendResult result = router_.send(peer.id, peer.waiting.front());
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

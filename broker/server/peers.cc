#include "broker/server/peers.h"

#include <algorithm>
#include <utility>

#include "common/base/peer_limits.h"

namespace rota::server {

bool Peers::receive(Route& route) {
  const bool is_dry = !router_.receive(received_);
  note_round(is_dry);
  if (is_dry) return false;
  const auto [at, is_new] = routes_.try_emplace(received_.from, 0);
  if (is_new) {
    at->second = next_route_++;
    Peer& peer = peers_[at->second];
    peer.id = received_.from;
    peer.wire = wire_of(received_.frame.source_fd());
  }
  route = at->second;
  last_wire_ = peers_.find(route)->second.wire;
  if (last_wire_) last_wire_->delivered += received_.bytes;
  return true;
}

void Peers::note_round(bool is_dry) {
  if (!is_dry && ++in_round_ <= std::max(routes_.size(), connections_)) return;
  ++rounds_;
  in_round_ = 0;
}

// Goes on counting where a peer was forgotten and its connection was not.
std::shared_ptr<Peers::Wire> Peers::wire_of(int fd) {
  std::string address = fd >= 0 ? net::peer_of(fd) : std::string{};
  if (address.empty()) return nullptr;
  std::shared_ptr<Wire>& wire = wires_[fd];
  if (!wire || wire->address != address) wire = std::make_shared<Wire>(Wire{std::move(address), 0, 0});
  return wire;
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
  const bool is_bounded = side_ == Side::client;
  if (is_bounded && peer.held->load(std::memory_order_relaxed) > limits::kMaxInLibrary) return net::SendResult::would_block;
  return router_.send(peer.id, frame, peer.held);
}

void Peers::keep(Route route, Peer& peer, std::string_view frame) {
  // A single frame may be larger than what is allowed of many.
  if (!peer.waiting.empty() && peer.waiting_bytes + frame.size() > limits::kMaxOutboxBytes) {
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
  const auto known = wires_.find(connection.fd);
  return known != wires_.end() && known->second->address == connection.peer ? known->second->delivered : 0;
}

void Peers::note_brought(const net::Connection& connection) {
  const auto known = wires_.find(connection.fd);
  if (known != wires_.end() && known->second->address == connection.peer) known->second->brought = connection.received;
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
  if (side_ == Side::worker) undelivered_.emplace_back(frame);
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

#include "tests/sim/network.h"

#include <algorithm>
#include <utility>

namespace rota::sim {
namespace {

// A socket without a connection tries again this often.
constexpr Millis kReconnect{100};

}  // namespace

// --- peers --------------------------------------------------------------------------------------------------------------

SocketId Network::open(server::Side side, std::string owner, Deliver deliver) {
  const SocketId id = next_socket_++;
  Socket& socket = sockets_[id];
  socket.side = side;
  socket.owner = std::move(owner);
  socket.deliver = std::move(deliver);
  socket.dice = dice_.fork();
  connect_later(id, socket.dice.skewed(0, usual_delay_));
  return id;
}

void Network::close(SocketId id) {
  const auto at = sockets_.find(id);
  if (at == sockets_.end()) return;
  const LineId line = at->second.line;
  if (line != 0 && !lines_.at(line).dead) cut(line, lines_.at(line));
  sockets_.erase(at);
}

bool Network::send(SocketId id, std::string_view frame) {
  const auto at = sockets_.find(id);
  if (at == sockets_.end() || at->second.line == 0) return false;
  transmit(at->second.line, true, std::string(frame));
  return true;
}

void Network::connect_later(SocketId id, Millis wait) {
  timeline_.after(wait, [this, id] { connect(id); });
}

void Network::connect(SocketId id) {
  const auto at = sockets_.find(id);
  if (at == sockets_.end() || at->second.line != 0) return;
  Socket& socket = at->second;
  if (!broker_->answers() || isolated(socket.owner)) {
    connect_later(id, kReconnect + socket.dice.millis(0, 50));
    return;
  }
  const LineId line = next_line_++;
  lines_[line].socket = id;
  lines_[line].side = socket.side;
  socket.line = line;
  if (trace_.prints()) trace_.note(socket.owner + " is connected (line " + std::to_string(line) + ")");
}

// --- frames -------------------------------------------------------------------------------------------------------------

void Network::transmit(LineId id, bool up, std::string frame) {
  Line& line = lines_.at(id);
  Way& way = up ? line.up : line.down;
  const std::uint64_t number = way.next++;
  if (line.dead) return;  // the sender has not noticed yet
  if (way.blocked) {
    way.held.emplace_back(number, std::move(frame));
    return;
  }
  schedule(id, up, number, std::move(frame));
}

void Network::schedule(LineId id, bool up, std::uint64_t number, std::string frame) {
  Line& line = lines_.at(id);
  Way& way = up ? line.up : line.down;
  const auto socket = sockets_.find(line.socket);
  Dice& dice = socket != sockets_.end() ? socket->second.dice : dice_;
  Millis delay = dice.skewed(0, usual_delay_);
  if (!calm_ && dice.chance(0.01)) delay += dice.skewed(0, 2000);
  way.last = std::max(way.last, timeline_.now().steady + delay);
  timeline_.at(way.last,
               [this, id, up, number, moved = std::move(frame)]() mutable { arrive(id, up, number, std::move(moved)); });
}

void Network::arrive(LineId id, bool up, std::uint64_t number, std::string frame) {
  Line& line = lines_.at(id);
  Way& way = up ? line.up : line.down;
  if (number >= way.keep) return;
  way.arrived = number + 1;
  if (up) {
    broker_->arrived(id, line.side, std::move(frame));
    return;
  }
  const auto at = sockets_.find(line.socket);
  if (at != sockets_.end()) at->second.deliver(std::move(frame));
}

bool Network::send_down(LineId id, std::string_view frame) {
  Line& line = lines_.at(id);
  if (line.broker_knows) return false;
  transmit(id, false, std::string(frame));
  return true;
}

// --- ends of connections ------------------------------------------------------------------------------------------------

void Network::cut(LineId id, Line& line) {
  if (line.dead) return;
  line.dead = true;
  for (Way* way : {&line.up, &line.down}) {
    const std::uint64_t sent = way->held.empty() ? way->next : way->held.front().first;
    way->keep = static_cast<std::uint64_t>(
        dice_.between(static_cast<std::int64_t>(way->arrived), static_cast<std::int64_t>(std::max(sent, way->arrived))));
    way->held.clear();
  }
  // One side may notice long after the other.
  const auto notice = [this] { return dice_.chance(0.8) || calm_ ? dice_.millis(0, 30) : dice_.millis(0, 8000); };
  timeline_.after(notice(), [this, id] { peer_notices(id); });
  timeline_.after(notice(), [this, id] { broker_notices(id); });
}

void Network::peer_notices(LineId id) {
  Line& line = lines_.at(id);
  if (line.peer_knows) return;
  line.peer_knows = true;
  const auto at = sockets_.find(line.socket);
  if (at == sockets_.end() || at->second.line != id) return;
  at->second.line = 0;
  connect_later(line.socket, at->second.dice.millis(1, kReconnect.count()));
}

void Network::broker_notices(LineId id) {
  Line& line = lines_.at(id);
  if (line.broker_knows) return;
  line.broker_knows = true;
  broker_->line_closed(id);
}

void Network::broker_died(Death death) {
  for (auto& [id, line] : lines_) {
    line.broker_knows = true;
    if (death != Death::orderly) line.up.keep = std::min(line.up.keep, line.up.arrived);
    if (line.dead) continue;
    line.dead = true;
    line.up.keep = line.up.arrived;
    if (death != Death::orderly) {
      const std::uint64_t sent = line.down.held.empty() ? line.down.next : line.down.held.front().first;
      line.down.keep = static_cast<std::uint64_t>(
          dice_.between(static_cast<std::int64_t>(line.down.arrived), static_cast<std::int64_t>(sent)));
    }
    line.up.held.clear();
    line.down.held.clear();
    if (death == Death::power) {
      line.tells_at_start = true;
    } else {
      timeline_.after(dice_.millis(0, 60), [this, line_id = id] { peer_notices(line_id); });
    }
  }
}

void Network::broker_started() {
  for (auto& [id, line] : lines_) {
    if (!line.tells_at_start) continue;
    line.tells_at_start = false;
    timeline_.after(dice_.millis(0, 2000), [this, line_id = id] { peer_notices(line_id); });
  }
}

// --- faults -------------------------------------------------------------------------------------------------------------

std::vector<LineId> Network::live_lines() const {
  std::vector<LineId> live;
  for (const auto& [id, line] : lines_) {
    if (!line.dead) live.push_back(id);
  }
  return live;
}

void Network::cut_any() {
  const std::vector<LineId> live = live_lines();
  if (live.empty()) return;
  const LineId id = live[dice_.below(live.size())];
  trace_.note("* line " + std::to_string(id) + " is cut");
  cut(id, lines_.at(id));
}

void Network::block_any(Millis how_long) {
  const std::vector<LineId> live = live_lines();
  if (live.empty()) return;
  const LineId id = live[dice_.below(live.size())];
  const std::size_t ways = dice_.below(3);
  trace_.note("* line " + std::to_string(id) + " is a black hole " +
              (ways == 0   ? "to the broker"
               : ways == 1 ? "from the broker"
                           : "both ways") +
              " for " + std::to_string(how_long.count()) + " ms");
  block(id, ways != 1, ways != 0, how_long);
}

void Network::block(LineId id, bool up, bool down, Millis how_long) {
  Line& line = lines_.at(id);
  line.up.blocked = line.up.blocked || up;
  line.down.blocked = line.down.blocked || down;
  const bool heals = dice_.chance(0.5);
  timeline_.after(how_long, [this, id, up, down, heals] {
    Line& then = lines_.at(id);
    if (then.dead) return;
    if (!heals) return cut(id, then);
    if (up) unblock(id, true);
    if (down) unblock(id, false);
  });
}

void Network::unblock(LineId id, bool up) {
  Line& line = lines_.at(id);
  Way& way = up ? line.up : line.down;
  way.blocked = false;
  for (auto& [number, frame] : std::exchange(way.held, {})) schedule(id, up, number, std::move(frame));
}

bool Network::isolated(const std::string& owner) const {
  const auto at = isolated_until_.find(owner);
  return at != isolated_until_.end() && at->second > timeline_.now().steady;
}

void Network::isolate(const std::string& owner, Millis how_long) {
  trace_.note("* " + owner + " is cut off for " + std::to_string(how_long.count()) + " ms");
  isolated_until_[owner] = timeline_.now().steady + how_long;
  for (const LineId id : live_lines()) {
    const auto at = sockets_.find(lines_.at(id).socket);
    if (at != sockets_.end() && at->second.owner == owner) block(id, true, true, how_long);
  }
}

void Network::calm() {
  calm_ = true;
  isolated_until_.clear();
  for (const LineId id : live_lines()) {
    Line& line = lines_.at(id);
    if (line.up.blocked) unblock(id, true);
    if (line.down.blocked) unblock(id, false);
  }
}

}  // namespace rota::sim

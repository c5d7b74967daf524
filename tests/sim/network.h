#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "broker/server/outbox.h"
#include "tests/sim/dice.h"
#include "tests/sim/timeline.h"
#include "tests/sim/trace.h"

namespace rota::sim {

// One connection between a peer's socket and the broker; a reconnection is another one. Never used twice.
using LineId = std::uint64_t;
using SocketId = std::uint64_t;

// The network as ZeroMQ over TCP shows it. Messages of one connection and direction come in order, late perhaps; they are
// lost only with their connection: then each direction delivers what was under way up to some point, and each side
// notices at a time of its own. Connections come back by themselves under a new number. A black hole holds a direction
// back; what it held either comes late or is lost with the connection.
class Network {
 public:
  class Broker {
   public:
    virtual ~Broker() = default;
    virtual void arrived(LineId line, server::Side side, std::string frame) = 0;
    // The broker's side notices that the line is dead.
    virtual void line_closed(LineId line) = 0;
    [[nodiscard]] virtual bool answers() const = 0;  // takes connections
  };
  using Deliver = std::function<void(std::string frame)>;

  Network(Timeline& timeline, Trace& trace, Dice dice, std::int64_t usual_delay)
      : timeline_(timeline), trace_(trace), dice_(dice), usual_delay_(usual_delay) {}
  void attach(Broker& broker) { broker_ = &broker; }

  // --- peers
  [[nodiscard]] SocketId open(server::Side side, std::string owner, Deliver deliver);
  void close(SocketId socket);
  // False: not connected, nothing was taken (ZMQ_IMMEDIATE).
  [[nodiscard]] bool send(SocketId socket, std::string_view frame);

  // --- the broker
  // False: the line is known to be dead, the frame never left.
  [[nodiscard]] bool send_down(LineId line, std::string_view frame);
  [[nodiscard]] server::Side side_of(LineId line) const { return lines_.at(line).side; }
  enum class Death : std::uint8_t {
    orderly,  // what it sent still arrives
    killed,   // peers notice soon
    power,    // peers notice once the host is back
  };
  void broker_died(Death death);
  void broker_started();

  // --- faults
  void cut_any();
  void block_any(Millis how_long);
  void isolate(const std::string& owner, Millis how_long);
  // From now on nothing new goes wrong.
  void calm();

 private:
  struct Way {
    Steady last;                      // arrival of the newest frame
    std::uint64_t next = 0;           // number of the next frame
    std::uint64_t arrived = 0;        // frames that arrived
    std::uint64_t keep = UINT64_MAX;  // frames from here on never arrive
    bool blocked = false;
    std::deque<std::pair<std::uint64_t, std::string>> held;
  };
  struct Line {
    SocketId socket = 0;
    server::Side side = server::Side::client;
    Way up, down;
    bool dead = false;
    bool broker_knows = false;
    bool peer_knows = false;
    bool tells_at_start = false;  // the peer notices when the broker is back
  };
  struct Socket {
    server::Side side = server::Side::client;
    std::string owner;
    Deliver deliver;
    LineId line = 0;  // 0: connecting
    Dice dice{0};
  };

  void connect_later(SocketId socket, Millis wait);
  void connect(SocketId socket);
  void transmit(LineId id, bool up, std::string frame);
  void schedule(LineId id, bool up, std::uint64_t number, std::string frame);
  void arrive(LineId id, bool up, std::uint64_t number, std::string frame);
  void cut(LineId id, Line& line);
  void peer_notices(LineId id);
  void broker_notices(LineId id);
  void block(LineId id, bool up, bool down, Millis how_long);
  void unblock(LineId id, bool up);
  [[nodiscard]] bool isolated(const std::string& owner) const;
  [[nodiscard]] std::vector<LineId> live_lines() const;

  Timeline& timeline_;
  Trace& trace_;
  Dice dice_;
  std::int64_t usual_delay_;
  Broker* broker_ = nullptr;
  bool calm_ = false;
  LineId next_line_ = 1;
  SocketId next_socket_ = 1;
  std::map<LineId, Line> lines_;
  std::map<SocketId, Socket> sockets_;
  std::map<std::string, Steady> isolated_until_;
};

}  // namespace rota::sim

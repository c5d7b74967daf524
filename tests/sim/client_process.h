#pragma once

#include "tests/sim/client_host.h"

namespace rota::sim {

// What a crash takes with it.
struct ClientHost::Process {
  explicit Process(Prng prng) : table(client::Timing{}, prng) {}

  std::uint64_t number = 0;
  client::RequestTable table;
  client::RequestTable::Turn due;
  std::map<wire::Request, Open> open;
  std::set<JobId> watched;
  std::set<wire::Request> waits;  // WAITs on their way
  std::vector<JobId> wait_later;  // refused for now
  std::optional<SocketId> socket;
  std::deque<std::string> inbox;
  wire::Request hello = 0;
  std::optional<Now> broker_clock;  // its id clock at a steady moment here
  wire::Decoder decoder;
  Steady next_turn = kNeverSteady;
};

}  // namespace rota::sim

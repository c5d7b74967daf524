#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "tests/sim/auditor.h"
#include "tests/sim/broker_host.h"
#include "tests/sim/client_host.h"
#include "tests/sim/worker_host.h"

namespace rota::sim {

// One simulated run: everything follows from the seed.
class World {
 public:
  World(std::uint64_t seed, Canary canary, bool prints);
  ~World();

  // False: a promise was broken; verdict() says which.
  [[nodiscard]] bool run();
  [[nodiscard]] const std::string& verdict() const { return auditor_.verdict(); }
  [[nodiscard]] const Auditor::Totals& totals() const { return auditor_.totals(); }
  [[nodiscard]] std::uint64_t digest() const { return trace_.digest(); }
  [[nodiscard]] std::uint64_t steps() const { return timeline_.steps(); }

 private:
  void let_clients_act(std::size_t client);
  void let_faults_happen();
  void break_network();
  void break_broker();
  void break_peers();
  void step_clock();
  // Steps until then, or until a promise is broken.
  void pass_until(Steady when);
  void calm();
  void settle();
  void look_once_more();
  [[nodiscard]] bool is_settled() const;
  void complain();
  [[nodiscard]] Steady now() const { return timeline_.now().steady; }
  [[nodiscard]] bool happens(double rate);

  Dice dice_;
  Weather weather_;
  Timeline timeline_;
  Trace trace_;
  Auditor auditor_;
  Network network_;
  Disk disk_;
  Saboteur saboteur_;
  BrokerHost broker_;
  Catalogue catalogue_;
  std::vector<std::unique_ptr<WorkerHost>> workers_;
  std::vector<std::unique_ptr<ClientHost>> clients_;
  std::unique_ptr<ClientHost> inspector_;
  Steady busy_until_;
};

}  // namespace rota::sim

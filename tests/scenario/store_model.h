#pragma once

#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "broker/queue/core.h"

namespace rota::scenario {

// What a store would hold after the changes so far, as plain maps: for restarts, and for finished jobs that left the core.
class StoreModel {
 public:
  void take(const queue::Change& change);
  // A core with everything that is stored, an epoch later. Jobs of durability memory are gone.
  [[nodiscard]] queue::Core reopen(queue::CoreOptions options, Prng prng, Now now);
  // The finished jobs among `ids` that are remembered.
  [[nodiscard]] std::vector<queue::FinishedJob> find(const std::vector<JobId>& ids) const;
  // The first ones by id.
  [[nodiscard]] std::vector<queue::FinishedJob> some_finished(std::size_t most) const;
  [[nodiscard]] std::size_t live() const { return live_.size(); }
  [[nodiscard]] std::size_t finished() const { return finished_.size(); }
  [[nodiscard]] std::uint64_t epoch() const { return epoch_; }

 private:
  struct Job {
    queue::JobRecord record;
    queue::SharedRecord shared;
    std::string queue, type, key, body;
    std::optional<queue::StateRecord> state;
    std::optional<queue::LeaseRecord> lease;
    std::optional<queue::OutcomeRecord> outcome;
  };
  Job& of(queue::Sequence sequence);
  void accept(const queue::JobRecord& record);
  void finish(const queue::JobFinished& change);
  void revive(const queue::JobRevived& change);

  std::map<queue::Sequence, std::unique_ptr<Job>> live_;
  std::map<JobId, std::unique_ptr<Job>> finished_;
  std::set<std::string> paused_;
  std::uint64_t epoch_ = 1;
  queue::Sequence last_sequence_ = 0;
  std::uint64_t last_dispatch_ = 0;
};

}  // namespace rota::scenario

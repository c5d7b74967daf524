#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "broker/queue/core.h"
#include "broker/store/store.h"

namespace rota::server {

// Holds what a store reports at load until the core exists, which needs the numbers that load() returns at its end. Keeps
// only what the core asks for: no bodies, no specs, no reports. Its memory lies in large blocks, each given back to the
// system as soon as it was handed over.
class LoadBuffer final : public store::LoadSink {
 public:
  void live_job(const queue::LiveJob& job) override;
  void paused_queue(std::string_view queue) override;

  // Once.
  void hand_over(queue::Core& core, Now now);

 private:
  static constexpr std::size_t kPerBlock = 8192;
  struct Entry {
    queue::JobRecord job;
    std::uint32_t body_size = 0;
    std::uint32_t shared = 0;
    std::uint32_t state = UINT32_MAX;  // index into states_
    std::uint32_t lease = UINT32_MAX;
  };
  struct Block {
    std::vector<Entry> entries;
    std::string keys;  // one behind the other, as the entries name them by size
  };
  struct Shared {
    std::string queue, type;
    queue::Policy policy;
  };
  [[nodiscard]] std::uint32_t shared_of(const queue::SharedRecord& shared);

  std::vector<std::unique_ptr<Block>> blocks_;
  std::deque<Shared> shared_;
  std::uint32_t last_shared_ = 0;
  std::vector<queue::StateRecord> states_;
  std::vector<queue::LeaseRecord> leases_;
  std::vector<std::string> paused_;
};

}  // namespace rota::server

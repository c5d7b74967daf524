#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <absl/container/flat_hash_map.h>

#include "broker/queue/core.h"
#include "broker/store/store.h"
#include "common/base/keyed_hash.h"

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

  // Different queues, types and policies together.
  [[nodiscard]] std::size_t shared_parts() const { return shared_.size(); }

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
  // Views into a Shared.
  struct SharedKey {
    std::string_view queue, type;
    queue::Policy policy;

    bool operator==(const SharedKey&) const = default;
    template <typename H>
    friend H AbslHashValue(H h, const SharedKey& key) {
      const queue::Policy& with = key.policy;
      h = H::combine(std::move(h), keyed_hash(key.queue), keyed_hash(key.type), with.retries, with.losses,
                     with.stop_on_disconnect, with.durability, with.backoff.count(), with.backoff_factor_milli);
      return H::combine(std::move(h), with.backoff_max.count(), with.time_limit.count(), with.keep.count(),
                        with.key_for.count());
    }
  };
  [[nodiscard]] std::uint32_t shared_of(const queue::SharedRecord& shared);

  std::vector<std::unique_ptr<Block>> blocks_;
  std::deque<Shared> shared_;
  absl::flat_hash_map<SharedKey, std::uint32_t> places_;  // in shared_: a client may name a type of its own for each job
  std::vector<queue::StateRecord> states_;
  std::vector<queue::LeaseRecord> leases_;
  std::vector<std::string> paused_;
};

}  // namespace rota::server

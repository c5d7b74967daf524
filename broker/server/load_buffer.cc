#include "broker/server/load_buffer.h"

#include "common/base/check.h"

namespace rota::server {

std::uint32_t LoadBuffer::shared_of(const queue::SharedRecord& shared) {
  const SharedKey key{shared.queue, shared.type, shared.policy};
  const auto known = places_.find(key);
  if (known != places_.end()) return known->second;
  const auto place = static_cast<std::uint32_t>(shared_.size());
  const Shared& kept = shared_.emplace_back(Shared{std::string(shared.queue), std::string(shared.type), shared.policy});
  places_.emplace(SharedKey{kept.queue, kept.type, kept.policy}, place);
  return place;
}

void LoadBuffer::live_job(const queue::LiveJob& job) {
  if (blocks_.empty() || blocks_.back()->entries.size() == kPerBlock) {
    blocks_.push_back(std::make_unique<Block>());
    blocks_.back()->entries.reserve(kPerBlock);
  }
  Block& block = *blocks_.back();
  ROTA_CHECK(job.job.shared != nullptr);
  Entry entry;
  entry.job = job.job;
  entry.job.shared = nullptr;
  entry.job.body = {};
  entry.body_size = job.body_size;
  entry.shared = shared_of(*job.job.shared);
  block.keys.append(job.job.key);  // the view's size stays; its place is found again by adding up
  if (job.state != nullptr) {
    entry.state = static_cast<std::uint32_t>(states_.size());
    states_.push_back(*job.state);
    states_.back().report = {};
  }
  if (job.lease != nullptr) {
    entry.lease = static_cast<std::uint32_t>(leases_.size());
    leases_.push_back(*job.lease);
  }
  block.entries.push_back(entry);
}

void LoadBuffer::paused_queue(std::string_view queue) { paused_.emplace_back(queue); }

void LoadBuffer::hand_over(queue::Core& core, Now now) {
  places_ = {};
  for (const std::string& queue : paused_) core.restore_paused(queue);
  for (std::unique_ptr<Block>& block : blocks_) {
    std::size_t key_at = 0;
    for (const Entry& entry : block->entries) {
      const Shared& known = shared_[entry.shared];
      const queue::SharedRecord shared{known.queue, known.type, known.policy, {}};
      queue::LiveJob live;
      live.job = entry.job;
      live.job.shared = &shared;
      live.job.key = std::string_view(block->keys).substr(key_at, entry.job.key.size());
      key_at += entry.job.key.size();
      live.body_size = entry.body_size;
      if (entry.state != UINT32_MAX) live.state = &states_[entry.state];
      if (entry.lease != UINT32_MAX) live.lease = &leases_[entry.lease];
      core.restore(live, now);
    }
    block.reset();
  }
  blocks_.clear();
  states_ = std::vector<queue::StateRecord>();
  leases_ = std::vector<queue::LeaseRecord>();
}

}  // namespace rota::server

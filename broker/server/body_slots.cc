#include "broker/server/body_slots.h"

#include "common/base/check.h"

namespace rota::server {
namespace {

constexpr std::size_t kLookBack = 4;

}  // namespace

void BodySlots::reset(std::size_t count) {
  slots_.assign(count, Slot{});
  shared_.clear();
  bytes_.clear();
}

void BodySlots::put(std::size_t index, const store::Batch::Body& body) {
  const auto matches = [&](const Shared& shared) {
    return piece(shared.at, shared.queue) == body.queue && piece(shared.at + shared.queue, shared.type) == body.type &&
           piece(shared.at + shared.queue + shared.type, shared.spec) == body.spec && shared.policy == body.policy;
  };
  // Jobs of a few submits usually alternate: look a little way back.
  std::size_t index_of = shared_.size();
  for (std::size_t back = 0; back < kLookBack && back < shared_.size(); ++back) {
    if (matches(shared_[shared_.size() - 1 - back])) {
      index_of = shared_.size() - 1 - back;
      break;
    }
  }
  if (index_of == shared_.size()) {
    Shared shared;
    shared.at = bytes_.size();
    shared.queue = static_cast<std::uint32_t>(body.queue.size());
    shared.type = static_cast<std::uint32_t>(body.type.size());
    shared.spec = static_cast<std::uint32_t>(body.spec.size());
    shared.policy = body.policy;
    bytes_.append(body.queue).append(body.type).append(body.spec);
    shared_.push_back(shared);
  }
  Slot& slot = slots_[index];
  slot.filled = true;
  slot.shared = static_cast<std::uint32_t>(index_of);
  slot.at = bytes_.size();
  slot.size = body.body.size();
  slot.report = body.report.size();
  bytes_.append(body.body).append(body.report);
}

store::Batch::Body BodySlots::get(std::size_t index) const {
  const Slot& slot = slots_[index];
  ROTA_CHECK(slot.filled);
  const Shared& shared = shared_[slot.shared];
  store::Batch::Body body;
  body.queue = piece(shared.at, shared.queue);
  body.type = piece(shared.at + shared.queue, shared.type);
  body.spec = piece(shared.at + shared.queue + shared.type, shared.spec);
  body.body = piece(slot.at, slot.size);
  body.report = piece(slot.at + slot.size, slot.report);
  body.policy = shared.policy;
  return body;
}

}  // namespace rota::server

#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "common/wire/message.h"

namespace rota::worker {

// A DISPATCH kept whole: the frame and the message whose views point into it, so that a batch of jobs costs one
// allocation. Lives until the last of its jobs has ended. Decode into `frame` and do not touch it after.
struct Batch {
  std::string frame;
  wire::Dispatch dispatch;
  std::vector<wire::Spec> specs;     // of each shared part; empty ones if their bytes are no spec
  std::vector<std::uint32_t> types;  // of each shared part: index into the core's types, or kNoType

  static constexpr std::uint32_t kNoType = UINT32_MAX;
};

// One job of a batch. Valid while the core counts the job as started.
struct Assignment {
  const Batch* batch = nullptr;
  std::uint32_t index = 0;

  [[nodiscard]] const wire::DispatchItem& item() const { return batch->dispatch.items[index]; }
  [[nodiscard]] const wire::DispatchShared& shared() const { return batch->dispatch.shared[item().shared]; }
  [[nodiscard]] const wire::Spec& spec() const { return batch->specs[item().shared]; }
  [[nodiscard]] std::uint32_t type() const { return batch->types[item().shared]; }
};

}  // namespace rota::worker

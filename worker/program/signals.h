#pragma once

#include <functional>
#include <thread>

#include "worker/spawner/descriptor.h"

namespace rota::worker {

// Blocks SIGINT, SIGTERM and SIGPIPE for the calling thread and all it starts later. First thing in main().
void block_signals();

// Calls `signalled` from a thread of its own for each SIGINT or SIGTERM, as long as it lives.
class SignalWatch {
 public:
  explicit SignalWatch(std::function<void()> signalled);
  ~SignalWatch();
  SignalWatch(const SignalWatch&) = delete;
  SignalWatch& operator=(const SignalWatch&) = delete;

 private:
  spawner::Descriptor signals_, end_;
  std::thread thread_;
};

}  // namespace rota::worker

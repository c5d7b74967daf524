#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

#include "client/client.h"

namespace rota::cli {

// No-op worker processes, started from this very program and ended with the object.
class BenchWorkers {
 public:
  BenchWorkers() = default;
  ~BenchWorkers();
  BenchWorkers(const BenchWorkers&) = delete;
  BenchWorkers& operator=(const BenchWorkers&) = delete;

  // Returns when the broker lists them all. TIMED_OUT: not within the client's timeout. INTERNAL: one could not be started.
  [[nodiscard]] Status start(client::Client& client, const std::string& endpoint, const std::string& queue,
                             std::uint64_t count, std::uint64_t slots, Millis timeout);

 private:
  std::vector<pid_t> processes_;
};

}  // namespace rota::cli

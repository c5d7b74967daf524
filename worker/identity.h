#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "common/base/uuid.h"

namespace rota::worker {

struct ServedType {
  std::string name;
  bool killable = false;  // a command: can be ended from outside, and starts at once on its own
};

// Who this worker is and what it serves: the HELLO.
struct Identity {
  Uuid session;
  std::string name, host, boot_id, software;
  std::uint64_t pid = 0, start_time = 0;
  std::vector<std::pair<std::string, std::uint32_t>> queues;  // with weights
  std::vector<ServedType> types;
  std::vector<std::pair<std::string, std::string>> labels;
};

// Fills host, boot id, pid and start time of this process, and a new session id.
[[nodiscard]] Identity identify_process();
// The host's name and a random suffix.
[[nodiscard]] std::string default_name();

}  // namespace rota::worker

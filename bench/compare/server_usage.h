#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

namespace rota::compare {

// What the processes of a server have used since they began, from /proc.
struct ServerUsage {
  double cpu_seconds = 0;
  std::uint64_t anonymous_bytes = 0;  // resident now: RssAnon
  std::uint64_t written_bytes = 0;    // sent to the storage layer
};

[[nodiscard]] ServerUsage read_usage(const std::vector<pid_t>& processes);
// "1,2,3"; fails on anything else.
[[nodiscard]] std::vector<pid_t> parse_processes(const std::string& list);

}  // namespace rota::compare

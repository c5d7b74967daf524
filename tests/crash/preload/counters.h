#pragma once

#include <atomic>
#include <cstdint>
#include <string>

namespace rota::crash {

// What was counted, for whoever looks at the file after the process is dead.
struct Counters {
  std::atomic<std::uint64_t> store_points{0};  // between calls into LMDB
  std::atomic<std::uint64_t> disk_calls{0};    // changes and syncs below the directory
  std::atomic<std::uint64_t> writes{0};
  std::atomic<std::uint64_t> syncs{0};
  char killed_at[64] = {};  // the call, if the process killed itself
};

// Counters in a shared map of `path`, or in memory alone if that is empty. Never unmapped: threads count to the very end.
[[nodiscard]] Counters& map_counters(const std::string& path);

}  // namespace rota::crash

#pragma once

#include <cstdint>
#include <string>

namespace rota::store {

// A quota as the kernel tells it, of bytes or of files; a limit of 0 is none.
struct Quota {
  std::uint64_t used = 0;
  std::uint64_t hard = 0;
  std::uint64_t soft = 0;
  std::uint64_t soft_ends = 0;  // s since 1970: from then on the soft limit is as hard as the other; 0: it is not reached
};
// Whether less than `room` is left of it at `now`, s since 1970.
[[nodiscard]] bool is_used_up(const Quota& quota, std::uint64_t room, std::uint64_t now);

// Whether a write below `directory` that was cut short found no room: the file system is full, or the quota of this
// process's user or group is used up. Writes nothing. Quotas of projects show as the size of the file system.
[[nodiscard]] bool is_disk_full(const std::string& directory);

}  // namespace rota::store

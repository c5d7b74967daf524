#pragma once

#include <atomic>
#include <bitset>
#include <cstdint>
#include <string>

#include "broker/store/check.h"

namespace rota::store::lmdb {

// The parts of a check that damage can end: the opening, each table by its number, the free list.
inline constexpr std::size_t kOpening = 0;
inline constexpr std::size_t kFreePages = kTableCount + 1;
using CheckParts = std::bitset<kFreePages + 1>;

// Where a check is. Lies in memory that another process watches.
struct CheckPlace {
  std::atomic<std::size_t> part = kOpening;
  std::atomic<std::uint64_t> records = 0;  // read of that part
  std::atomic<bool> is_broken = false;     // that part cannot be walked, and LMDB reads nothing more in this transaction
};

// Reads all of the store in `directory`, locked by the caller, except for the parts in `skip`. May crash in LMDB where a
// page is damaged, or leave the rest of the store unread; `place` tells then where. Errors: VERSION, and what the system
// refuses.
[[nodiscard]] Result<CheckReport> check_records(const std::string& directory, const CheckParts& skip, CheckPlace& place);

}  // namespace rota::store::lmdb

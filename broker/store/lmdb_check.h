#pragma once

#include <algorithm>
#include <array>
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

// How far to go, after damage that ended an earlier reading.
struct CheckBounds {
  std::array<std::uint64_t, kFreePages + 1> records;  // of each part, at most
  CheckParts no_look_ups;                             // tables in which nothing is searched for

  CheckBounds() { records.fill(UINT64_MAX); }
  [[nodiscard]] bool are_none() const {
    return no_look_ups.none() &&
           std::all_of(records.begin(), records.end(), [](std::uint64_t n) { return n == UINT64_MAX; });
  }
};

// Where a check is. Lies in memory that another process watches.
struct CheckPlace {
  std::atomic<std::size_t> part = kOpening;
  std::atomic<bool> is_look_up = false;    // a search in it, not the reading of all of it
  std::atomic<std::uint64_t> records = 0;  // of the part that is read, done with
  std::atomic<bool> is_broken = false;     // that part cannot be walked, and LMDB reads nothing more in this transaction
};

// Reads the store in `directory`, locked by the caller, within `bounds`. May crash in LMDB where a
// page is damaged, or leave the rest of the store unread; `place` tells then where. Errors: VERSION, and what the system
// refuses.
[[nodiscard]] Result<CheckReport> check_records(const std::string& directory, const CheckBounds& bounds, CheckPlace& place);

}  // namespace rota::store::lmdb

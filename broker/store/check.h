#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "broker/store/record_format.h"
#include "common/base/result.h"

namespace rota::store {

struct TableReport {
  std::uint64_t records = 0;
  std::uint64_t bytes = 0;  // of its pages
};

// What a check found.
struct CheckReport {
  bool is_read = false;      // else the store could not be opened: of the rest only the damages mean something
  std::uint64_t format = 0;  // 0: not readable
  Uuid broker_id;
  std::uint64_t epoch = 0;
  std::array<TableReport, kTableCount + 1> tables{};  // by number of Table
  std::uint64_t live_jobs = 0;
  std::uint64_t finished_jobs = 0;
  std::uint64_t paused_queues = 0;
  std::uint64_t file_bytes = 0;  // allocated
  std::uint64_t used_bytes = 0;  // in use of those
  std::uint64_t damages = 0;     // all of them; about kMaxListedDamages at most are named
  std::vector<std::string> listed;

  [[nodiscard]] bool is_sound() const { return damages == 0; }
  void add_damage(std::string what);
};

// Reads everything in the store of `directory`, which no broker may have open, and changes nothing: every record's
// checksum, what the records say of each other, and that every page of the file belongs somewhere. Damage is in the report,
// also where the tree of a table is so damaged that reading it crashes: the reading is done in a child process. Call it
// before the process has threads. Errors: NOT_FOUND without a store, RETRY_LATER if another process holds the directory
// (named), FORBIDDEN, VERSION, INTERNAL.
[[nodiscard]] Result<CheckReport> check_lmdb(const std::string& directory);

}  // namespace rota::store

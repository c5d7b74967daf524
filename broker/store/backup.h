#pragma once

#include <cstdint>
#include <string>

#include "common/base/result.h"

namespace rota::store {

struct BackupReport {
  std::uint64_t bytes = 0;  // of the copy, which has no free pages
  std::string damage;       // not empty: why the store cannot be copied; there is no copy then
};

// Copies the store of `directory`, which a broker of another process may be writing to, into the directory `target` (made
// if missing, for its owner only). The copy is one moment of the store and holds everything that was committed before the
// call. It gets its name only when it is whole and synced: before that there is data.mdb.partial, which the next backup
// overwrites. Blocks for as long as the disks need; what the broker frees meanwhile becomes usable after the end. SIGINT,
// SIGTERM and SIGHUP end it, with nothing left, and only then take their effect. The reading is done in a child process, as
// damage can crash it: call it before the process has threads. Damage, as far as it keeps a copy from being made, is in
// the report. Errors leave nothing new behind: NOT_FOUND without a store, BAD_MESSAGE if `target` holds one, RETRY_LATER if
// another backup writes there or a signal came, FORBIDDEN, STORE_FULL if the disk of `target` is full, VERSION, INTERNAL.
// Not for a store that this process has open.
[[nodiscard]] Result<BackupReport> backup_lmdb(const std::string& directory, const std::string& target);

}  // namespace rota::store

#pragma once

#include <cstdint>
#include <string>

// What the environment of a process asks of the preloaded library `librota-faults.so`. Numbers count from 1; 0 or nothing:
// never.
//
//   ROTA_FAULT_DIRECTORY   the store: calls on files below it are counted, recorded and may fail (absolute path)
//   ROTA_FAULT_COUNTERS    a file of sizeof(Counters) bytes that is kept up to date through a map, so that it outlives a
//   SIGKILL ROTA_FAULT_JOURNAL     a file to which every change below the directory is recorded with what it replaces, and
//   every sync:
//                          tests/crash/power_cut.py takes back from it what a power cut would have taken
//   ROTA_FAULT_STORE_KILL  N: SIGKILL of the process at the N-th point between calls into LMDB
//   ROTA_FAULT_DISK_KILL   N: SIGKILL at the N-th call that changes or syncs a file or directory: before a sync, and right
//   behind
//                          a change, which is not synced then even if its descriptor is O_DSYNC
//   ROTA_FAULT_SYNC        "N EIO": the N-th sync fails; "N stall MS": it takes so much longer. Writes through an O_DSYNC
//   or
//                          O_SYNC descriptor are syncs too, of what they wrote
//   ROTA_FAULT_WRITE       "N ENOSPC" or "N EIO": the N-th write fails; "N short": it writes half
namespace rota::crash {

struct Fault {
  enum class What : std::uint8_t { none, error, cut_short, stall };
  std::uint64_t at = 0;
  What what = What::none;
  int error = 0;
  std::int64_t stall_ms = 0;

  [[nodiscard]] bool hits(std::uint64_t number) const { return what != What::none && number == at; }
};

struct Settings {
  std::string directory, counters, journal;
  std::uint64_t store_kill = 0;
  std::uint64_t disk_kill = 0;
  Fault sync;
  Fault write;

  // Ends the process if a value means nothing: a test must not believe that it has set a fault.
  [[nodiscard]] static Settings from_environment();
};

}  // namespace rota::crash

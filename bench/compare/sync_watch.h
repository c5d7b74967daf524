#pragma once

#include <atomic>
#include <cstdint>
#include <string>

namespace rota::compare {

// Shared between a server that was started with the preloaded watch (sync_watch_preload.cc) and the load generator. All
// zero at first.
struct SyncRecord {
  // When the latest of the syncs that are over began (CLOCK_MONOTONIC, ns). What arrived before it is on disk if it was
  // written before it: a submit that is acknowledged while this is older than the submit was acknowledged without a sync.
  std::atomic<std::int64_t> latest_begin_ns;
  std::atomic<std::uint64_t> syncs;
};
static_assert(std::atomic<std::int64_t>::is_always_lock_free && std::atomic<std::uint64_t>::is_always_lock_free);

// Names the file that both map.
inline constexpr const char* kSyncWatchVariable = "ROTA_SYNC_WATCH";

// Maps the record in the file; null if there is none or it cannot be mapped.
[[nodiscard]] SyncRecord* map_sync_record(const char* path);

}  // namespace rota::compare

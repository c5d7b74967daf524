// Preloaded into a server (LD_PRELOAD): notes when the last finished sync began, so that the load generator can tell
// whether an acknowledgement came after one. A server that calls the kernel without libc (Go's) is not seen: it counts as
// never syncing.

#include <dlfcn.h>
#include <unistd.h>

#include <cstdlib>

#include "bench/compare/monotonic_clock.h"
#include "bench/compare/sync_watch.h"

namespace {

using rota::compare::SyncRecord;

SyncRecord* record() {
  static SyncRecord* const mapped = rota::compare::map_sync_record(std::getenv(rota::compare::kSyncWatchVariable));
  return mapped;
}

template <typename Call>
int watched(Call call) {
  const std::int64_t begin = rota::compare::now_ns();
  const int result = call();
  SyncRecord* const to = record();
  if (result == 0 && to != nullptr) {
    std::int64_t latest = to->latest_begin_ns.load();
    while (latest < begin && !to->latest_begin_ns.compare_exchange_weak(latest, begin)) {
    }
    to->syncs.fetch_add(1);
  }
  return result;
}

template <typename Function>
Function next(const char* name) {
  return reinterpret_cast<Function>(::dlsym(RTLD_NEXT, name));
}

}  // namespace

extern "C" {

__attribute__((visibility("default"))) int fsync(int file) {
  static const auto real = next<int (*)(int)>("fsync");
  return watched([file] { return real(file); });
}

__attribute__((visibility("default"))) int fdatasync(int file) {
  static const auto real = next<int (*)(int)>("fdatasync");
  return watched([file] { return real(file); });
}

__attribute__((visibility("default"))) int msync(void* at, std::size_t size, int flags) {
  static const auto real = next<int (*)(void*, std::size_t, int)>("msync");
  return watched([at, size, flags] { return real(at, size, flags); });
}
}

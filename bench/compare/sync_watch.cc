#include "bench/compare/sync_watch.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

namespace rota::compare {

SyncRecord* map_sync_record(const char* path) {
  if (path == nullptr) return nullptr;
  const int file = ::open(path, O_RDWR | O_CLOEXEC);
  if (file < 0) return nullptr;
  void* at = ::mmap(nullptr, sizeof(SyncRecord), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  ::close(file);
  return at == MAP_FAILED ? nullptr : static_cast<SyncRecord*>(at);
}

}  // namespace rota::compare

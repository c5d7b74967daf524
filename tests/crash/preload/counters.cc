#include "tests/crash/preload/counters.h"

#include <fcntl.h>
#include <sys/mman.h>

#include <cstdio>
#include <cstdlib>
#include <new>

#include "tests/crash/preload/real_calls.h"

namespace rota::crash {

Counters& map_counters(const std::string& path) {
  const int flags = path.empty() ? MAP_SHARED | MAP_ANONYMOUS : MAP_SHARED;
  int fd = -1;
  if (!path.empty()) {
    fd = real_open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0 || real_ftruncate(fd, sizeof(Counters)) != 0) {
      std::fprintf(stderr, "librota-faults: %s cannot be written\n", path.c_str());
      std::_Exit(64);
    }
  }
  void* const place = ::mmap(nullptr, sizeof(Counters), PROT_READ | PROT_WRITE, flags, fd, 0);
  if (place == MAP_FAILED) std::_Exit(64);
  if (fd >= 0) real_close(fd);
  return *new (place) Counters;
}

}  // namespace rota::crash

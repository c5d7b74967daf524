#include "tests/crash/preload/real_calls.h"

// Looked up at the first call of each, which may come before any constructor of this library has run.
#define ROTA_REAL(result, name, parameters, arguments)             \
  result real_##name parameters {                                  \
    static auto* const call = next_call<result parameters>(#name); \
    return call arguments;                                         \
  }

namespace rota::crash {

int real_open(const char* path, int flags, mode_t mode) {
  static auto* const call = next_call<int(const char*, int, ...)>("open");
  return call(path, flags, mode);
}
ROTA_REAL(int, close, (int fd), (fd))
ROTA_REAL(ssize_t, write, (int fd, const void* bytes, size_t size), (fd, bytes, size))
ROTA_REAL(ssize_t, pwrite, (int fd, const void* bytes, size_t size, off_t offset), (fd, bytes, size, offset))
ROTA_REAL(ssize_t, writev, (int fd, const iovec* parts, int count), (fd, parts, count))
ROTA_REAL(ssize_t, pwritev, (int fd, const iovec* parts, int count, off_t offset), (fd, parts, count, offset))
ROTA_REAL(int, ftruncate, (int fd, off_t size), (fd, size))
ROTA_REAL(int, posix_fallocate, (int fd, off_t offset, off_t length), (fd, offset, length))
ROTA_REAL(int, fsync, (int fd), (fd))
ROTA_REAL(int, fdatasync, (int fd), (fd))
ROTA_REAL(int, rename, (const char* from, const char* to), (from, to))
ROTA_REAL(int, unlink, (const char* path), (path))
ROTA_REAL(int, mkdir, (const char* path, mode_t mode), (path, mode))

}  // namespace rota::crash

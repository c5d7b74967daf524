// Stands in front of the C library's calls that change or sync files. What is not on a watched file goes straight through.

#include <fcntl.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cstdarg>

#include "tests/crash/preload/real_calls.h"
#include "tests/crash/preload/watched_disk.h"

namespace {

using rota::crash::preload;

iovec part(const void* bytes, size_t size) { return {const_cast<void*>(bytes), size}; }

int open_any(const char* path, int flags, mode_t mode) {
  if (!preload().disk.watches(path)) return rota::crash::real_open(path, flags, mode);
  return preload().disk.open(path, flags, mode);
}

int allocate_any(int fd, off_t offset, off_t length) {
  if (!preload().disk.watches(fd)) return rota::crash::real_posix_fallocate(fd, offset, length);
  return preload().disk.allocate(fd, offset, length);
}

int resize_any(int fd, off_t size) {
  return preload().disk.watches(fd) ? preload().disk.resize(fd, size) : rota::crash::real_ftruncate(fd, size);
}

ssize_t pwrite_any(int fd, const void* bytes, size_t size, off_t offset) {
  if (!preload().disk.watches(fd)) return rota::crash::real_pwrite(fd, bytes, size, offset);
  const iovec whole = part(bytes, size);
  return preload().disk.write(fd, {&whole, 1}, offset);
}

ssize_t pwritev_any(int fd, const iovec* parts, int count, off_t offset) {
  if (!preload().disk.watches(fd)) return rota::crash::real_pwritev(fd, parts, count, offset);
  return preload().disk.write(fd, {parts, static_cast<size_t>(count)}, offset);
}

}  // namespace

// The mode is there when a file may be made.
#define ROTA_MODE(flags)                           \
  mode_t mode = 0;                                 \
  if (((flags) & (O_CREAT | O_TMPFILE)) != 0) {    \
    va_list more;                                  \
    va_start(more, flags);                         \
    mode = static_cast<mode_t>(va_arg(more, int)); \
    va_end(more);                                  \
  }

extern "C" {

int open(const char* path, int flags, ...) {
  ROTA_MODE(flags)
  return open_any(path, flags, mode);
}

int open64(const char* path, int flags, ...) {
  ROTA_MODE(flags)
  return open_any(path, flags | O_LARGEFILE, mode);
}

int close(int fd) {
  if (preload().disk.watches(fd)) preload().disk.close(fd);
  return rota::crash::real_close(fd);
}

ssize_t write(int fd, const void* bytes, size_t size) {
  if (!preload().disk.watches(fd)) return rota::crash::real_write(fd, bytes, size);
  const iovec whole = part(bytes, size);
  return preload().disk.write(fd, {&whole, 1}, -1);
}

ssize_t writev(int fd, const iovec* parts, int count) {
  if (!preload().disk.watches(fd)) return rota::crash::real_writev(fd, parts, count);
  return preload().disk.write(fd, {parts, static_cast<size_t>(count)}, -1);
}

ssize_t pwrite(int fd, const void* bytes, size_t size, off_t offset) { return pwrite_any(fd, bytes, size, offset); }
ssize_t pwrite64(int fd, const void* bytes, size_t size, off_t offset) { return pwrite_any(fd, bytes, size, offset); }
ssize_t pwritev(int fd, const iovec* parts, int count, off_t offset) { return pwritev_any(fd, parts, count, offset); }
ssize_t pwritev64(int fd, const iovec* parts, int count, off_t offset) { return pwritev_any(fd, parts, count, offset); }

int ftruncate(int fd, off_t size) noexcept { return resize_any(fd, size); }
int ftruncate64(int fd, off_t size) noexcept { return resize_any(fd, size); }
int posix_fallocate(int fd, off_t offset, off_t length) { return allocate_any(fd, offset, length); }
int posix_fallocate64(int fd, off_t offset, off_t length) { return allocate_any(fd, offset, length); }

int fsync(int fd) {
  return preload().disk.watches(fd) ? preload().disk.sync(fd, rota::crash::real_fsync) : rota::crash::real_fsync(fd);
}

int fdatasync(int fd) {
  return preload().disk.watches(fd) ? preload().disk.sync(fd, rota::crash::real_fdatasync)
                                    : rota::crash::real_fdatasync(fd);
}

int rename(const char* from, const char* to) noexcept {
  const bool watched = preload().disk.watches(from) || preload().disk.watches(to);
  return watched ? preload().disk.rename(from, to) : rota::crash::real_rename(from, to);
}

int unlink(const char* path) noexcept {
  return preload().disk.watches(path) ? preload().disk.unlink(path) : rota::crash::real_unlink(path);
}

int mkdir(const char* path, mode_t mode) noexcept {
  return preload().disk.watches(path) ? preload().disk.mkdir(path, mode) : rota::crash::real_mkdir(path, mode);
}
}

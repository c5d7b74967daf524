#pragma once

#include <dlfcn.h>
#include <sys/types.h>
#include <sys/uio.h>

#include <cstdio>
#include <cstdlib>

// The functions behind those of the same name that this library stands in front of.
namespace rota::crash {

// The next definition of `name` behind this library; the process ends if there is none.
template <typename Function>
[[nodiscard]] Function* next_call(const char* name) {
  void* const found = ::dlsym(RTLD_NEXT, name);
  if (found == nullptr) {
    std::fprintf(stderr, "librota-faults: there is no %s\n", name);
    std::_Exit(70);
  }
  return reinterpret_cast<Function*>(found);
}

[[nodiscard]] int real_open(const char* path, int flags, mode_t mode);
int real_close(int fd);
[[nodiscard]] ssize_t real_write(int fd, const void* bytes, size_t size);
[[nodiscard]] ssize_t real_pwrite(int fd, const void* bytes, size_t size, off_t offset);
[[nodiscard]] ssize_t real_writev(int fd, const iovec* parts, int count);
[[nodiscard]] ssize_t real_pwritev(int fd, const iovec* parts, int count, off_t offset);
[[nodiscard]] int real_ftruncate(int fd, off_t size);
[[nodiscard]] int real_posix_fallocate(int fd, off_t offset, off_t length);
[[nodiscard]] int real_fsync(int fd);
[[nodiscard]] int real_fdatasync(int fd);
[[nodiscard]] int real_rename(const char* from, const char* to);
[[nodiscard]] int real_unlink(const char* path);
[[nodiscard]] int real_mkdir(const char* path, mode_t mode);

}  // namespace rota::crash

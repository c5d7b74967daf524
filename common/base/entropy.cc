#include "common/base/entropy.h"

#include <sys/random.h>

#include <cerrno>

#include "common/base/check.h"

namespace rota {

void fill_random(void* data, std::size_t size) {
  auto* at = static_cast<unsigned char*>(data);
  while (size > 0) {
    const ssize_t got = ::getrandom(at, size, 0);
    if (got < 0 && errno == EINTR) continue;
    ROTA_CHECK(got > 0);
    at += got;
    size -= static_cast<std::size_t>(got);
  }
}

std::uint64_t random_u64() {
  std::uint64_t value = 0;
  fill_random(&value, sizeof value);
  return value;
}

}  // namespace rota

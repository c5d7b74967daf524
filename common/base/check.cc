#include "common/base/check.h"

#include <cstdio>
#include <cstdlib>

namespace rota {

void check_failed(const char* text, const char* file, int line) noexcept {
  std::fprintf(stderr, "%s:%d: invariant broken: %s\n", file, line, text);
  std::abort();
}

}  // namespace rota

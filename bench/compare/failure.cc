#include "bench/compare/failure.h"

#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

namespace rota::compare {

void fail(const std::string& what) {
  std::fprintf(stderr, "rota-compare-load: %s\n", what.c_str());
  ::_exit(70);  // other threads are in the middle of something
}

void fail_errno(const std::string& what) { fail(what + ": " + std::strerror(errno)); }

}  // namespace rota::compare

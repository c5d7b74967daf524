#include "client/cli/wait_display.h"

#include <cinttypes>
#include <cstdio>

namespace rota::cli {

void WaitDisplay::finish(std::uint64_t done, std::uint64_t failed) {
  if (!enabled_) return;
  clear();
  std::fprintf(stderr,
               "rota: %" PRIu64 " of %" PRIu64 " jobs final, %" PRIu64 " succeeded, %" PRIu64 " did not, in %.1f s\n", done,
               total_, done - failed, failed, bar_.seconds());
}

}  // namespace rota::cli

#include "common/program/standard_streams.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

namespace rota::program {

void open_standard_streams() {
  for (int stream = STDIN_FILENO; stream <= STDERR_FILENO; ++stream) {
    if (fcntl(stream, F_GETFD) >= 0 || errno != EBADF) continue;
    // Gets this very number: it is the lowest that is free. Commands inherit it, so no O_CLOEXEC.
    // The wrong way round, as gnulib's stdopen does: using a stream that was closed stays an error that can be reported.
    if (open("/dev/null", stream == STDIN_FILENO ? O_WRONLY : O_RDONLY) >= 0) continue;
    // Reading and writing fail, but nobody else gets the number.
    [[maybe_unused]] const int placeholder = open("/", O_PATH);
  }
}

}  // namespace rota::program

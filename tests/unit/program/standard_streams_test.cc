#include "common/program/standard_streams.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include <vector>

namespace rota::program {
namespace {

// As closed to whoever uses it, but the number is taken.
bool is_null_device(int fd) {
  char byte = 0;
  if (fd == 0 ? read(fd, &byte, 1) >= 0 : write(fd, &byte, 1) >= 0) return false;
  struct stat about {};
  return fstat(fd, &about) == 0 && S_ISCHR(about.st_mode) && about.st_rdev == makedev(1, 3);
}

// In a process of its own: 0 if all is well with the streams after `closed` were closed, else the stream at fault plus 1.
int streams_after_closing(const std::vector<int>& closed) {
  const pid_t child = fork();
  if (child == 0) {
    const int other = dup(STDERR_FILENO);
    struct stat before[3]{};
    for (int stream = 0; stream < 3; ++stream) fstat(stream, &before[stream]);
    for (const int stream : closed) close(stream);
    open_standard_streams();
    for (int stream = 0; stream < 3; ++stream) {
      bool was_closed = false;
      for (const int one : closed) was_closed = was_closed || one == stream;
      struct stat after {};
      const bool good = was_closed ? is_null_device(stream)
                                   : fstat(stream, &after) == 0 && after.st_dev == before[stream].st_dev &&
                                         after.st_ino == before[stream].st_ino;
      if (!good) _exit(stream + 1);
    }
    const int next = dup(other);  // nothing but the three was opened
    _exit(next == other + 1 ? 0 : 10);
  }
  int status = -1;
  EXPECT_EQ(waitpid(child, &status, 0), child);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

TEST(StandardStreams, ClosedOnesBecomeTheNullDevice) {
  EXPECT_EQ(streams_after_closing({1}), 0);
  EXPECT_EQ(streams_after_closing({0, 2}), 0);
  EXPECT_EQ(streams_after_closing({0, 1, 2}), 0);
}

TEST(StandardStreams, OpenOnesAreLeftAlone) { EXPECT_EQ(streams_after_closing({}), 0); }

}  // namespace
}  // namespace rota::program

#pragma once

#include <sys/resource.h>
#include <sys/types.h>

#include <string>
#include <vector>

#include "worker/spawner/protocol.h"

namespace rota::spawner {

// The descriptors that become a command's stdin, stdout and stderr. Not closed here.
struct Streams {
  int input = -1;
  int output = -1;
  int error = -1;
};

struct Launched {
  pid_t pid = -1;      // also its process group; -1: not started
  int error = 0;       // errno of not started
  std::string reason;  // the same for people, naming command or directory
};

// Starts a command: own process group, SIGKILL when this process dies, signals as a fresh process has them, environment
// and directory as asked, executable searched in the PATH of that environment, never through a shell. Returns once the
// command runs or has failed to. The calling process must be single-threaded.
// `descriptors` is the command's own RLIMIT_NOFILE: the spawner's may be higher.
[[nodiscard]] Launched launch(const Run& run, const Streams& streams, const rlimit& descriptors);

}  // namespace rota::spawner

#pragma once

#include <sys/types.h>

#include <vector>

namespace rota::spawner {

// One row of proc(5).
struct Process {
  pid_t pid = 0;
  pid_t parent = 0;
  pid_t group = 0;
  pid_t session = 0;
  bool dead = false;  // ended, with all its threads, and not reaped yet
};

// All that this process may see. Empty if /proc is not mounted.
[[nodiscard]] std::vector<Process> all_processes();

}  // namespace rota::spawner

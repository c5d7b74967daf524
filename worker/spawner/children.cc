#include "worker/spawner/children.h"

#include <signal.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <unordered_map>
#include <vector>

#include "common/base/clock.h"
#include "common/base/limits.h"
#include "worker/spawner/processes.h"

namespace rota::spawner {
namespace {

constexpr int kEmptyLooks = 2;  // one may miss the child of a parent that ended while it looked

void wait_a_moment() {
  constexpr timespec kMoment{0, 1'000'000};
  nanosleep(&kMoment, nullptr);
}

std::vector<Process> descendants() {
  std::unordered_multimap<pid_t, Process> children;
  for (const Process& process : all_processes()) children.emplace(process.parent, process);
  std::vector<Process> found;
  std::vector<pid_t> open_ends{getpid()};
  while (!open_ends.empty()) {
    const pid_t parent = open_ends.back();
    open_ends.pop_back();
    const auto [first, last] = children.equal_range(parent);
    for (auto child = first; child != last; ++child) {
      found.push_back(child->second);
      open_ends.push_back(child->second.pid);
    }
  }
  return found;
}

// True while there are children.
bool reap() {
  while (true) {
    const pid_t pid = waitpid(-1, nullptr, WNOHANG);
    if (pid == 0) return true;
    if (pid < 0 && errno != EINTR) return false;
  }
}

}  // namespace

void end_all_descendants(std::span<const pid_t> groups) {
  for (const pid_t group : groups) kill(-group, SIGKILL);
  const Steady until = read_clocks().steady + limits::kDyingPatience;
  for (int empty = 0; reap() && empty < kEmptyLooks && read_clocks().steady < until;) {
    bool one_dies = false, one_stays = false;
    for (const Process& process : descendants()) {
      if (process.dead) continue;
      const bool dies = kill(process.pid, SIGKILL) == 0;
      (dies ? one_dies : one_stays) = true;  // it stays if it may not be killed: it changed its user, by sudo say
    }
    empty = one_stays && !one_dies ? empty + 1 : 0;
    // A killed process is a child of ours a moment later; one that had just forked shows its child at the next look.
    wait_a_moment();
  }
}

void end_session(pid_t session) {
  const Steady until = read_clocks().steady + limits::kDyingPatience;
  for (int empty = 0; empty < kEmptyLooks && read_clocks().steady < until;) {
    bool one_lives = false;
    for (const Process& process : all_processes()) {
      if (process.session != session || process.dead) continue;
      // The group at once, as one that forks all the time would escape one signal after the other. What may not be killed
      // is left.
      if (process.group > 1) kill(-process.group, SIGKILL);
      one_lives = kill(process.pid, SIGKILL) == 0 || one_lives;
    }
    empty = one_lives ? 0 : empty + 1;
    if (one_lives) wait_a_moment();
  }
}

}  // namespace rota::spawner

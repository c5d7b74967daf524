#include "worker/spawner/children.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace rota::spawner {
namespace {

struct CloseDirectory {
  void operator()(DIR* directory) const { closedir(directory); }
};

// proc(5): the fourth field of /proc/<pid>/stat. 0 if the process is gone.
pid_t parent_of(const char* pid) {
  const std::string path = std::string{"/proc/"} + pid + "/stat";
  const int file = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) return 0;
  std::array<char, 512> buffer{};
  const ssize_t size = read(file, buffer.data(), buffer.size());
  close(file);
  if (size <= 0) return 0;
  const std::string_view line{buffer.data(), static_cast<std::size_t>(size)};
  const std::size_t after_name = line.rfind(") ");
  if (after_name == std::string_view::npos || after_name + 4 >= line.size()) return 0;
  pid_t parent = 0;
  const std::string_view field = line.substr(after_name + 4);
  std::from_chars(field.data(), field.data() + field.size(), parent);
  return parent;
}

std::vector<pid_t> descendants() {
  std::unordered_multimap<pid_t, pid_t> children;
  const std::unique_ptr<DIR, CloseDirectory> proc{opendir("/proc")};
  if (proc == nullptr) return {};
  while (const dirent* entry = readdir(proc.get())) {
    pid_t pid = 0;
    const char* const end = entry->d_name + std::strlen(entry->d_name);
    if (std::from_chars(entry->d_name, end, pid).ptr != end) continue;
    if (const pid_t parent = parent_of(entry->d_name); parent > 0) children.emplace(parent, pid);
  }
  std::vector<pid_t> found;
  std::vector<pid_t> open_ends{getpid()};
  while (!open_ends.empty()) {
    const pid_t parent = open_ends.back();
    open_ends.pop_back();
    const auto [first, last] = children.equal_range(parent);
    for (auto child = first; child != last; ++child) {
      found.push_back(child->second);
      open_ends.push_back(child->second);
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
  while (reap()) {
    for (const pid_t pid : descendants()) kill(pid, SIGKILL);
    // A killed process is a child of ours a moment later; one that had just forked shows its child at the next look.
    constexpr timespec kMoment{0, 1'000'000};
    nanosleep(&kMoment, nullptr);
  }
}

}  // namespace rota::spawner

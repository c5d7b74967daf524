#include "worker/spawner/processes.h"

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace rota::spawner {
namespace {

struct CloseDirectory {
  void operator()(DIR* directory) const { closedir(directory); }
};

// The next number of a row, and a blank before it.
bool take_number(std::string_view& row, pid_t& number) {
  if (row.empty() || row.front() != ' ') return false;
  const auto [end, error] = std::from_chars(row.data() + 1, row.data() + row.size(), number);
  if (error != std::errc{}) return false;
  row.remove_prefix(static_cast<std::size_t>(end - row.data()));
  return true;
}

// proc(5), /proc/<pid>/stat: pid (name) state parent group session, 13 more, threads ... The name may hold anything.
// Nothing: it is gone.
std::optional<Process> process_of(pid_t pid) {
  const std::string path = "/proc/" + std::to_string(pid) + "/stat";
  const int file = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) return std::nullopt;
  std::array<char, 512> buffer{};
  const ssize_t size = read(file, buffer.data(), buffer.size());
  close(file);
  if (size <= 0) return std::nullopt;
  std::string_view row{buffer.data(), static_cast<std::size_t>(size)};
  const std::size_t after_name = row.rfind(") ");
  if (after_name == std::string_view::npos || after_name + 3 > row.size()) return std::nullopt;
  const char state = row[after_name + 2];
  row.remove_prefix(after_name + 3);
  Process process;
  process.pid = pid;
  if (!take_number(row, process.parent) || !take_number(row, process.group) || !take_number(row, process.session)) {
    return std::nullopt;
  }
  for (int field = 0; field < 13; ++field) row.remove_prefix(std::min(row.size(), row.find(' ', 1)));
  pid_t threads = 0;
  // That of a process whose first thread has ended says so too, while the others run.
  process.dead = (state == 'Z' || state == 'X') && take_number(row, threads) && threads <= 1;
  return process;
}

}  // namespace

std::vector<Process> all_processes() {
  std::vector<Process> found;
  const std::unique_ptr<DIR, CloseDirectory> proc{opendir("/proc")};
  if (proc == nullptr) return found;
  while (const dirent* entry = readdir(proc.get())) {
    const std::string_view name = entry->d_name;
    pid_t pid = 0;
    if (std::from_chars(name.data(), name.data() + name.size(), pid).ptr != name.data() + name.size()) continue;
    if (const std::optional<Process> process = process_of(pid)) found.push_back(*process);
  }
  return found;
}

}  // namespace rota::spawner

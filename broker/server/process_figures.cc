#include "broker/server/process_figures.h"

#include <sys/resource.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <system_error>

namespace rota::server {
namespace {

// Fields of /proc/self/stat behind the process's name, in proc(5)'s numbers less this.
constexpr int kFirstField = 3;
constexpr int kUserTicks = 14, kSystemTicks = 15, kStartTicks = 22, kVirtualBytes = 23, kResidentPages = 24;

// When the machine was started, Unix time in seconds.
double boot_time() {
  std::ifstream stat("/proc/stat");
  std::string word;
  double seconds = 0;
  while (stat >> word) {
    if (word == "btime") {
      stat >> seconds;
      return seconds;
    }
  }
  return 0;
}

void read_stat(ProcessFigures& figures) {
  std::ifstream file("/proc/self/stat");
  std::string text;
  if (!std::getline(file, text)) return;
  const std::size_t name_end = text.rfind(')');  // the name itself may hold anything
  if (name_end == std::string::npos) return;
  std::istringstream fields(text.substr(name_end + 1));
  std::string field;
  const auto ticks = static_cast<double>(::sysconf(_SC_CLK_TCK));
  for (int number = kFirstField; number <= kResidentPages && fields >> field; ++number) {
    if (number < kUserTicks) continue;
    const std::uint64_t value = std::strtoull(field.c_str(), nullptr, 10);
    if (number == kUserTicks || number == kSystemTicks) figures.cpu_seconds += static_cast<double>(value) / ticks;
    if (number == kStartTicks) figures.start_time = boot_time() + static_cast<double>(value) / ticks;
    if (number == kVirtualBytes) figures.virtual_bytes = value;
    if (number == kResidentPages) figures.resident_bytes = value * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  }
}

std::uint64_t count_open_files() {
  std::error_code error;
  std::uint64_t count = 0;
  for (std::filesystem::directory_iterator at("/proc/self/fd", error), end; !error && at != end; at.increment(error))
    ++count;
  return count == 0 ? 0 : count - 1;  // without the one that counts
}

}  // namespace

ProcessFigures read_process_figures() {
  ProcessFigures figures;
  read_stat(figures);
  figures.open_files = count_open_files();
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) == 0) figures.max_files = limit.rlim_cur;
  return figures;
}

}  // namespace rota::server

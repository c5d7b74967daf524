#include "bench/compare/server_usage.h"

#include <unistd.h>

#include <charconv>
#include <fstream>
#include <sstream>

#include "bench/compare/failure.h"

namespace rota::compare {

namespace {

std::string proc_file(pid_t process, const char* name) {
  std::ifstream file("/proc/" + std::to_string(process) + "/" + name);
  std::stringstream text;
  text << file.rdbuf();
  if (!file) fail("process " + std::to_string(process) + " of the server is gone");
  return text.str();
}

std::uint64_t number_behind(const std::string& text, const std::string& name) {
  const std::size_t at = text.find(name);
  if (at == std::string::npos) return 0;
  return std::strtoull(text.c_str() + at + name.size(), nullptr, 10);
}

// User and system time: fields 14 and 15; the name before them may hold anything but is in brackets.
double cpu_seconds(const std::string& stat) {
  std::istringstream fields(stat.substr(stat.rfind(')') + 2));
  std::string skipped;
  for (int i = 3; i < 14; ++i) fields >> skipped;
  double user = 0;
  double system = 0;
  fields >> user >> system;
  return (user + system) / static_cast<double>(::sysconf(_SC_CLK_TCK));
}

}  // namespace

ServerUsage read_usage(const std::vector<pid_t>& processes) {
  constexpr std::uint64_t kKiB = 1024;
  ServerUsage usage;
  for (const pid_t process : processes) {
    usage.cpu_seconds += cpu_seconds(proc_file(process, "stat"));
    usage.anonymous_bytes += number_behind(proc_file(process, "status"), "RssAnon:") * kKiB;
    usage.written_bytes += number_behind(proc_file(process, "io"), "\nwrite_bytes: ");
  }
  return usage;
}

std::vector<pid_t> parse_processes(const std::string& list) {
  std::vector<pid_t> processes;
  std::istringstream words(list);
  for (std::string word; std::getline(words, word, ',');) {
    pid_t process = 0;
    const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), process);
    if (error != std::errc{} || end != word.data() + word.size() || process <= 0) fail("'" + word + "' is no process id");
    processes.push_back(process);
  }
  return processes;
}

}  // namespace rota::compare

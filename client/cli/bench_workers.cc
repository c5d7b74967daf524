#include "client/cli/bench_workers.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstring>

extern char** environ;

namespace rota::cli {

namespace {

constexpr Millis kLook{20};

Result<pid_t> start_one(std::vector<std::string> words) {
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  posix_spawnattr_t attributes;
  ::posix_spawnattr_init(&attributes);
  sigset_t none;
  sigemptyset(&none);
  ::posix_spawnattr_setsigmask(&attributes, &none);
  ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  // Results on stdout are this process's alone.
  ::posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
  pid_t pid = 0;
  const int error = ::posix_spawn(&pid, "/proc/self/exe", &actions, &attributes, argv.data(), environ);
  ::posix_spawn_file_actions_destroy(&actions);
  ::posix_spawnattr_destroy(&attributes);
  if (error != 0) return Error{Code::internal, std::string("cannot start a worker process: ") + std::strerror(error)};
  return pid;
}

}  // namespace

BenchWorkers::~BenchWorkers() {
  for (const pid_t pid : processes_) ::kill(pid, SIGTERM);
  for (const pid_t pid : processes_) ::waitpid(pid, nullptr, 0);
}

Status BenchWorkers::start(client::Client& client, const std::string& endpoint, const std::string& queue,
                           std::uint64_t count, std::uint64_t slots, Millis timeout) {
  const std::string prefix = "bench-" + std::to_string(::getpid()) + "-";
  for (std::uint64_t i = 0; i < count; ++i) {
    const Result<pid_t> pid = start_one({"rota", "bench", "worker", "--broker", endpoint, "--queue", queue, "--jobs", "0",
                                         "--slots", std::to_string(slots), "--name", prefix + std::to_string(i)});
    if (!pid) return pid.error();
    processes_.push_back(*pid);
  }
  const Steady until = read_clocks().steady + timeout;
  for (;;) {
    const Result<std::vector<client::AdminRow>> rows = client.admin("workers");
    if (!rows) return rows.error();
    const auto here = std::count_if(rows->begin(), rows->end(), [&prefix](const client::AdminRow& row) {
      return client::text_in(row, "name").starts_with(prefix);
    });
    if (static_cast<std::uint64_t>(here) >= count) return {};
    if (read_clocks().steady >= until) {
      return Error{Code::timed_out, "only " + std::to_string(here) + " of " + std::to_string(count) +
                                        " workers registered at " + endpoint +
                                        "; is that the broker's endpoint for workers?"};
    }
    const Result<std::size_t> paused = client.poll(kLook);
    if (!paused) return paused.error();
  }
}

}  // namespace rota::cli

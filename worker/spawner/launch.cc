#include "worker/spawner/launch.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <string_view>
#include <unordered_set>
#include <utility>

#include "worker/spawner/descriptor.h"

namespace rota::spawner {
namespace {

constexpr std::string_view kPathWithoutOne = "/usr/local/bin:/usr/bin:/bin";

// Everything the child needs, made before it exists: between vfork and exec it shares this process's memory and may only
// make system calls.
struct Plan {
  std::vector<std::string> arguments, environment, candidates;
  std::string directory;
  std::vector<char*> argv, envp;
  std::vector<const char*> paths;
  Streams streams;
  pid_t parent = -1;
  rlimit descriptors{};
};
// What the child writes into a pipe that exec closes, so that of a command which runs nothing comes. Under vfork the memory
// that both share would do as well, but the thread sanitizer makes every vfork a fork.
struct Failure {
  int error = 0;
  bool directory = false;
};

std::string_view name_of(std::string_view entry) { return entry.substr(0, entry.find('=')); }

// The spawner's own environment with `over` set over it; of one name the last counts.
std::vector<std::string> merged_environment(const std::vector<std::string>& over) {
  std::vector<std::string> merged;
  std::unordered_set<std::string_view> taken;
  for (std::size_t at = over.size(); at-- > 0;) {
    if (taken.insert(name_of(over[at])).second) merged.push_back(over[at]);
  }
  for (char** at = environ; at != nullptr && *at != nullptr; ++at) {
    if (!taken.contains(name_of(*at))) merged.emplace_back(*at);
  }
  return merged;
}

std::vector<std::string> candidates_for(std::string_view command, const std::vector<std::string>& environment) {
  if (command.find('/') != std::string_view::npos) return {std::string{command}};
  std::string_view path = kPathWithoutOne;
  for (const std::string& entry : environment) {
    if (name_of(entry) == "PATH") path = std::string_view{entry}.substr(5);
  }
  std::vector<std::string> candidates;
  while (true) {
    const std::size_t colon = path.find(':');
    std::string candidate{path.substr(0, colon)};
    if (!candidate.empty()) candidate += '/';  // an empty entry means the current directory
    candidates.push_back(candidate + std::string{command});
    if (colon == std::string_view::npos) return candidates;
    path.remove_prefix(colon + 1);
  }
}

Plan make_plan(const Run& run, const Streams& streams, const rlimit& descriptors) {
  Plan plan;
  plan.arguments.assign(run.argv.begin(), run.argv.end());
  plan.environment = merged_environment(run.env);
  plan.candidates = candidates_for(run.argv.front(), plan.environment);
  plan.directory = run.cwd;
  for (std::string& argument : plan.arguments) plan.argv.push_back(argument.data());
  for (std::string& entry : plan.environment) plan.envp.push_back(entry.data());
  for (const std::string& candidate : plan.candidates) plan.paths.push_back(candidate.c_str());
  plan.argv.push_back(nullptr);
  plan.envp.push_back(nullptr);
  plan.streams = streams;
  plan.parent = getpid();
  plan.descriptors = descriptors;
  return plan;
}

// Only those that the spawner changed for itself: everything else is as in a fresh process already.
void reset_signals() {
  struct sigaction plain {};
  plain.sa_handler = SIG_DFL;
  for (const int number : {SIGINT, SIGTERM, SIGHUP, SIGPIPE, SIGQUIT}) sigaction(number, &plain, nullptr);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
}

[[noreturn]] void give_up(int channel, int error, bool directory) {
  Failure failure;
  failure.error = error;
  failure.directory = directory;
  const ssize_t written = write(channel, &failure, sizeof failure);
  _exit(written == sizeof failure ? 127 : 126);
}

[[noreturn]] void become_command(const Plan& plan, int channel) {
  setpgid(0, 0);
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != plan.parent) _exit(127);  // it died before the line above
  setrlimit(RLIMIT_NOFILE, &plan.descriptors);
  reset_signals();
  if (dup2(plan.streams.input, 0) < 0 || dup2(plan.streams.output, 1) < 0 || dup2(plan.streams.error, 2) < 0) {
    give_up(channel, errno, false);
  }
  if (!plan.directory.empty() && chdir(plan.directory.c_str()) != 0) give_up(channel, errno, true);
  int first_error = 0;
  for (const char* const path : plan.paths) {
    execve(path, plan.argv.data(), plan.envp.data());
    if (errno == EACCES || first_error == 0) first_error = errno;  // "permission denied" says more than "not found"
    if (errno != ENOENT && errno != ENOTDIR && errno != EACCES) {
      first_error = errno;
      break;
    }
  }
  give_up(channel, first_error, false);
}

// vfork: this process goes on when the child has become the command, or has given up.
[[gnu::noinline]] pid_t start(const Plan& plan, int channel) {
  const pid_t pid = vfork();
  if (pid == 0) become_command(plan, channel);
  return pid;
}

// Waits until the other end is closed. All zero: nothing was written.
Failure read_failure(int channel) {
  Failure failure;
  ssize_t got = -1;
  do {
    got = read(channel, &failure, sizeof failure);
  } while (got < 0 && errno == EINTR);
  return got == sizeof failure ? failure : Failure{};
}

bool holds_zero_byte(const Run& run) {
  bool found = run.cwd.find('\0') != std::string_view::npos;
  for (const std::string_view argument : run.argv) found = found || argument.find('\0') != std::string_view::npos;
  for (const std::string& entry : run.env) found = found || entry.find('\0') != std::string::npos;
  return found;
}

}  // namespace

Launched launch(const Run& run, const Streams& streams, const rlimit& descriptors) {
  if (holds_zero_byte(run)) {
    return {-1, EINVAL, "an argument, environment value or directory of the command holds a zero byte"};
  }
  const Plan plan = make_plan(run, streams, descriptors);
  std::array<int, 2> ends{-1, -1};
  const bool has_channel = pipe2(ends.data(), O_CLOEXEC) == 0;
  const Descriptor reading{ends[0]};
  Descriptor writing{ends[1]};
  const pid_t pid = has_channel ? start(plan, writing.get()) : -1;
  if (pid < 0) {
    const int error = errno;
    return {-1, error, std::string{"cannot make a process: "} + std::strerror(error)};
  }
  writing.reset();
  const Failure failure = read_failure(reading.get());
  if (failure.error == 0) return {pid, 0, {}};
  // Reaped by whoever reaps children; it was never a command.
  const std::string what = failure.directory ? "cannot change to directory '" + plan.directory + "': "
                                             : "cannot run '" + plan.arguments.front() + "': ";
  return {-1, failure.error, what + std::strerror(failure.error)};
}

}  // namespace rota::spawner

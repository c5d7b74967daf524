#include "worker/command_runner.h"

#include <limits.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <utility>

#include "common/base/check.h"
#include "worker/spawner/children.h"

namespace rota::worker {
namespace {

constexpr int kSpawnerStream = 3;  // where rota-spawner expects it

std::string folder_of_self() {
  std::array<char, PATH_MAX> path{};
  const ssize_t size = readlink("/proc/self/exe", path.data(), path.size() - 1);
  std::string self{path.data(), static_cast<std::size_t>(size > 0 ? size : 0)};
  const std::size_t slash = self.rfind('/');
  return slash == std::string::npos ? std::string{"."} : self.substr(0, slash);
}

}  // namespace

Result<std::string> CommandRunner::find_spawner() {
  const char* const named = std::getenv("ROTA_SPAWNER");
  if (named != nullptr && *named != '\0') {
    if (access(named, X_OK) == 0) return std::string{named};
    return Error{Code::not_found, "ROTA_SPAWNER names '" + std::string{named} +
                                      "', which cannot be run: " + std::strerror(errno) + "; correct it or unset it"};
  }
  const std::string folder = folder_of_self();
  for (const std::string& path : {folder + "/rota-spawner", folder + "/../libexec/rota/rota-spawner"}) {
    if (access(path.c_str(), X_OK) == 0) return path;
  }
  return Error{Code::not_found, "rota-spawner, which runs commands, is neither in " + folder + " nor in " + folder +
                                    "/../libexec/rota; install it there or name it in ROTA_SPAWNER"};
}

Result<CommandRunner> CommandRunner::start(const std::string& spawner) {
  std::array<int, 2> ends{};
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0) {
    return Error{Code::internal, std::string{"cannot make a stream to rota-spawner: "} + std::strerror(errno)};
  }
  spawner::Descriptor ours{ends[0]};
  const spawner::Descriptor theirs{ends[1]};
  posix_spawn_file_actions_t actions;
  ROTA_CHECK(posix_spawn_file_actions_init(&actions) == 0);
  posix_spawn_file_actions_adddup2(&actions, theirs.get(), kSpawnerStream);
  // Nothing may reach it before it has made itself deaf to signals; it sets its own mask then.
  posix_spawnattr_t attributes;
  ROTA_CHECK(posix_spawnattr_init(&attributes) == 0);
  sigset_t all;
  sigfillset(&all);
  posix_spawnattr_setsigmask(&attributes, &all);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
  std::string name = "rota-spawner";
  std::array<char*, 2> argv{name.data(), nullptr};
  pid_t pid = -1;
  const int error = posix_spawn(&pid, spawner.c_str(), &actions, &attributes, argv.data(), environ);
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&actions);
  if (error != 0) return Error{Code::internal, "cannot start '" + spawner + "': " + std::strerror(error)};
  return CommandRunner{std::move(ours), pid};
}

CommandRunner::CommandRunner(spawner::Descriptor stream, pid_t pid) : channel_(std::move(stream)), pid_(pid) {}

CommandRunner::CommandRunner(CommandRunner&& other) noexcept
    : channel_(std::move(other.channel_)), pid_(std::exchange(other.pid_, -1)) {}

CommandRunner::~CommandRunner() {
  if (pid_ < 0) return;
  { const spawner::Channel closed{std::move(channel_)}; }
  // Not reaped before its session is empty: until then its number is nobody else's. (Where a program ignores SIGCHLD the
  // system reaps it, and does not give the number again this soon.)
  siginfo_t end{};
  while (waitid(P_PID, static_cast<id_t>(pid_), &end, WEXITED | WNOWAIT) < 0 && errno == EINTR) {
  }
  const bool in_order = end.si_code == CLD_EXITED && end.si_status == 0;  // it has ended every descendant
  // Only the commands themselves die with the spawner, by PR_SET_PDEATHSIG, not what they started.
  if (!in_order) spawner::end_session(pid_);
  while (waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
  }
}

void CommandRunner::run(const spawner::Run& command) { spawner::encode(command, channel_.outgoing()); }

void CommandRunner::signal(std::uint64_t run, int number) {
  spawner::encode(spawner::Signal{run, number}, channel_.outgoing());
}

bool CommandRunner::receive(const std::function<void(const spawner::Ended&)>& ended) {
  const bool connected = channel_.receive();
  while (const auto frame = channel_.next()) {
    const std::optional<spawner::Ended> message = spawner::decode_ended(frame->body);
    ROTA_CHECK(frame->kind == spawner::Kind::ended && message.has_value());
    ended(*message);
  }
  return connected;
}

void CommandRunner::abandon(const std::function<void(const spawner::Ended&)>& ended) {
  // What lies in the socket can still be read; then comes its end, whatever the spawner does.
  shutdown(channel_.fd(), SHUT_RDWR);
  while (receive(ended)) {
  }
}

}  // namespace rota::worker

#include "broker/store/child_process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <iterator>
#include <string_view>

namespace rota::store {
namespace {

constexpr int kEnding[] = {SIGINT, SIGTERM, SIGHUP};
constexpr int kCrashes[] = {SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL};

sigset_t ending_signals() {
  sigset_t set;
  sigemptyset(&set);
  for (const int number : kEnding) sigaddset(&set, number);
  return set;
}

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() { close(); }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  [[nodiscard]] int get() const { return fd_; }
  void close() {
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
  }

 private:
  int fd_;
};

[[noreturn]] void run_child(pid_t parent, const std::function<std::optional<std::string>()>& work, int pipe) {
  (void)::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) ::_exit(1);
  const sigset_t ending = ending_signals();
  (void)::sigprocmask(SIG_UNBLOCK, &ending, nullptr);
  // A crash is an answer here, which nobody's handler is to take for a fault of the program.
  for (const int number : kCrashes) (void)::signal(number, SIG_DFL);
  const rlimit none{};
  (void)::setrlimit(RLIMIT_CORE, &none);
  if (const int quiet = ::open("/dev/null", O_WRONLY | O_CLOEXEC); quiet >= 0) (void)::dup2(quiet, STDERR_FILENO);
  const std::optional<std::string> told = work();
  if (!told) ::_exit(1);
  std::string_view rest = *told;
  while (!rest.empty()) {
    const ssize_t size = ::write(pipe, rest.data(), rest.size());
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) ::_exit(1);
    rest.remove_prefix(static_cast<std::size_t>(size));
  }
  ::_exit(0);
}

Error system_error(std::string_view doing) {
  return {Code::internal, std::string("cannot ").append(doing).append(": ").append(std::strerror(errno))};
}

// Until the child closes the pipe. False: a signal that is held back came first.
bool read_all(int pipe, int signals, std::string& told) {
  char buffer[4096];
  for (;;) {
    pollfd both[2] = {{pipe, POLLIN, 0}, {signals, POLLIN, 0}};
    if (::poll(both, 2, -1) < 0 && errno != EINTR) return true;
    if (both[1].revents != 0) return false;
    if (both[0].revents == 0) continue;
    const ssize_t size = ::read(pipe, buffer, sizeof buffer);
    if (size == 0 || (size < 0 && errno != EINTR)) return true;
    if (size > 0) told.append(buffer, static_cast<std::size_t>(size));
  }
}

}  // namespace

bool ChildEnd::crashed() const {
  if (told) return false;
  return signal == 0 || std::find(std::begin(kCrashes), std::end(kCrashes), signal) != std::end(kCrashes);
}

Result<ChildEnd> run_in_child(const std::function<std::optional<std::string>()>& work) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return system_error("make a pipe");
  const Descriptor from(ends[0]);
  Descriptor to(ends[1]);
  // Reads nothing of those that are not blocked. Without it, -1, poll() passes it over.
  const sigset_t ending = ending_signals();
  const Descriptor signals(::signalfd(-1, &ending, SFD_CLOEXEC | SFD_NONBLOCK));
  const pid_t parent = ::getpid();
  const pid_t child = ::fork();
  if (child < 0) return system_error("start a process");
  if (child == 0) run_child(parent, work, to.get());
  to.close();
  ChildEnd end;
  std::string told;
  if (!read_all(from.get(), signals.get(), told)) ::kill(child, SIGKILL);
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (WIFSIGNALED(status)) end.signal = WTERMSIG(status);
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) end.told = std::move(told);
  return end;
}

HeldSignals::HeldSignals() {
  sigset_t held;
  sigemptyset(&held);
  for (const int number : kEnding) {
    struct sigaction action {};
    if (::sigaction(number, nullptr, &action) == 0 && action.sa_handler != SIG_IGN) sigaddset(&held, number);
  }
  (void)::sigprocmask(SIG_BLOCK, &held, nullptr);
}

HeldSignals::~HeldSignals() {
  const sigset_t ending = ending_signals();
  (void)::sigprocmask(SIG_UNBLOCK, &ending, nullptr);
}

bool HeldSignals::came() {
  sigset_t pending;
  if (::sigpending(&pending) != 0) return false;
  for (const int number : kEnding) {
    if (sigismember(&pending, number) == 1) return true;
  }
  return false;
}

}  // namespace rota::store

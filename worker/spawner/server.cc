#include "worker/spawner/server.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <optional>
#include <utility>
#include <vector>

#include "common/base/check.h"
#include "common/base/clock.h"
#include "common/base/limits.h"
#include "worker/spawner/children.h"

namespace rota::spawner {
namespace {

// Tags of the poller: the worker, SIGCHLD, or a child's stream (its run id and which).
constexpr std::uint64_t kWorkerTag = 0;
constexpr std::uint64_t kSignalTag = 1;
constexpr std::uint64_t kStreamTag = 2;  // from here on: run id * 2 + (stderr ? 1 : 0) + kStreamTag

constexpr std::size_t kReadBytes = 64 * 1024;
// A pipe holds at most this much when its main process has ended; a process that left the group may go on writing.
constexpr std::size_t kDrainReads = 32;

struct Pipe {
  Descriptor read, write;
};

std::optional<Pipe> make_pipe() {
  std::array<int, 2> ends{};
  if (pipe2(ends.data(), O_CLOEXEC) != 0) return std::nullopt;
  Pipe made{Descriptor{ends[0]}, Descriptor{ends[1]}};
  fcntl(made.read.get(), F_SETFL, O_NONBLOCK);  // the spawner's end alone: commands expect blocking streams
  return made;
}

// The whole input in a memory file: nothing to feed while the command runs, so nothing can deadlock.
Descriptor input_file(std::string_view bytes) {
  Descriptor file{memfd_create("stdin", MFD_CLOEXEC)};
  while (file.open() && !bytes.empty()) {
    const ssize_t size = write(file.get(), bytes.data(), bytes.size());
    if (size < 0 && errno == EINTR) continue;
    if (size <= 0) return Descriptor{};
    bytes.remove_prefix(static_cast<std::size_t>(size));
  }
  if (file.open()) lseek(file.get(), 0, SEEK_SET);
  return file;
}

}  // namespace

Server::Server(Descriptor worker)
    : channel_(std::move(worker)),
      poller_(epoll_create1(EPOLL_CLOEXEC)),
      no_input_(open("/dev/null", O_RDONLY | O_CLOEXEC)) {
  // Two streams for each command that runs.
  getrlimit(RLIMIT_NOFILE, &descriptors_);
  rlimit raised = descriptors_;
  raised.rlim_cur = raised.rlim_max;
  setrlimit(RLIMIT_NOFILE, &raised);
  sigset_t children;
  sigemptyset(&children);
  sigaddset(&children, SIGCHLD);
  child_signal_ = Descriptor{signalfd(-1, &children, SFD_NONBLOCK | SFD_CLOEXEC)};
  ROTA_CHECK(poller_.open() && no_input_.open() && child_signal_.open());
  watch(channel_.fd(), kWorkerTag);
  watch(child_signal_.get(), kSignalTag);
}

void Server::watch(int fd, std::uint64_t tag) {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u64 = tag;
  ROTA_CHECK(epoll_ctl(poller_.get(), EPOLL_CTL_ADD, fd, &event) == 0);
}

void Server::serve() {
  bool connected = true;
  while (connected) {
    std::array<epoll_event, 64> events;
    const int count = epoll_wait(poller_.get(), events.data(), static_cast<int>(events.size()), -1);
    bool child_ended = false;
    for (int at = 0; at < count; ++at) {
      const std::uint64_t tag = events[static_cast<std::size_t>(at)].data.u64;
      if (tag == kWorkerTag) {
        connected = channel_.receive();
        while (const auto frame = channel_.next()) handle(*frame);
      } else if (tag == kSignalTag) {
        child_ended = true;
      } else {
        read_stream(tag - kStreamTag);
      }
    }
    if (child_ended) reap();
    connected = channel_.send() && connected;
    if (sending_ != channel_.wants_to_send()) {
      sending_ = channel_.wants_to_send();
      epoll_event event{};
      event.events = sending_ ? EPOLLIN | EPOLLOUT : EPOLLIN;
      event.data.u64 = kWorkerTag;
      epoll_ctl(poller_.get(), EPOLL_CTL_MOD, channel_.fd(), &event);
    }
  }
  std::vector<pid_t> groups;
  for (const auto& [pid, id] : by_pid_) groups.push_back(pid);
  end_all_descendants(groups);
}

void Server::handle(const Frame& frame) {
  if (frame.kind == Kind::run) {
    const std::optional<Run> run = decode_run(frame.body);
    ROTA_CHECK(run.has_value() && !children_.contains(run->id));
    start(*run);
  } else if (frame.kind == Kind::signal) {
    const std::optional<Signal> wanted = decode_signal(frame.body);
    ROTA_CHECK(wanted.has_value());
    const auto child = children_.find(wanted->id);
    if (child == children_.end()) return;
    // The command itself too, in case it moved to a group of its own.
    kill(-child->second.pid, wanted->number);
    kill(child->second.pid, wanted->number);
  }
}

void Server::refuse(const Run& run, int error, std::string_view reason) {
  Ended ended;
  ended.id = run.id;
  ended.how = Ended::How::not_started;
  ended.number = error;
  ended.reason = reason;
  encode(ended, channel_.outgoing());
}

void Server::start(const Run& run) {
  std::optional<Pipe> output = make_pipe();
  std::optional<Pipe> error = make_pipe();
  Descriptor input;
  if (!run.input.empty()) input = input_file(run.input);
  if (!output || !error || (!run.input.empty() && !input.open())) {
    const int number = errno;
    refuse(run, number, std::string{"cannot make the command's streams: "} + std::strerror(number));
    return;
  }
  const std::int64_t started = monotonic_us();
  const int in = input.open() ? input.get() : no_input_.get();
  const Launched launched = launch(run, {in, output->write.get(), error->write.get()}, descriptors_);
  if (launched.pid < 0) {
    refuse(run, launched.error, launched.reason);
    return;
  }
  watch(output->read.get(), kStreamTag + run.id * 2);
  watch(error->read.get(), kStreamTag + run.id * 2 + 1);
  by_pid_.emplace(launched.pid, run.id);
  children_.emplace(run.id, Child{run.id, launched.pid, std::move(output->read), std::move(error->read),
                                  Capture{run.max_output, Capture::Keep::head_and_tail},
                                  Capture{limits::kMaxStderrTail, Capture::Keep::tail}, started});
}

void Server::read_stream(std::uint64_t stream) {
  const auto found = children_.find(stream / 2);
  if (found == children_.end()) return;  // ended earlier in this turn
  Child& child = found->second;
  const bool is_error = stream % 2 == 1;
  Descriptor& from = is_error ? child.error : child.output;
  if (from.open() && !drain(from, is_error ? child.error_kept : child.output_kept)) from.reset();
}

bool Server::drain(const Descriptor& from, Capture& into) {
  std::array<char, kReadBytes> buffer;
  for (std::size_t reads = 0; reads < kDrainReads; ++reads) {
    const ssize_t size = read(from.get(), buffer.data(), buffer.size());
    if (size > 0) {
      into.append({buffer.data(), static_cast<std::size_t>(size)});
      if (static_cast<std::size_t>(size) < buffer.size()) return true;
    } else if (size == 0) {
      return false;
    } else if (errno != EINTR) {
      return true;
    }
  }
  return true;
}

void Server::reap() {
  signalfd_siginfo ignored;
  while (read(child_signal_.get(), &ignored, sizeof ignored) > 0) {
  }
  while (true) {
    siginfo_t info{};
    // Left unreaped for now: until then its number cannot become another process's, so its group can be killed safely.
    if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) != 0 || info.si_pid == 0) return;
    const auto known = by_pid_.find(info.si_pid);
    if (known != by_pid_.end()) {
      kill(-info.si_pid, SIGKILL);
      Child& child = children_.at(known->second);
      finish(child, info.si_status, info.si_code != CLD_EXITED);
      children_.erase(known->second);
      by_pid_.erase(known);
    }
    waitpid(info.si_pid, nullptr, 0);
  }
}

void Server::finish(Child& child, int status, bool killed) {
  if (child.output.open()) drain(child.output, child.output_kept);
  if (child.error.open()) drain(child.error, child.error_kept);
  const std::string output = child.output_kept.take();
  const std::string error = child.error_kept.take();
  Ended ended;
  ended.id = child.id;
  ended.how = killed ? Ended::How::signaled : Ended::How::exited;
  ended.number = status;
  ended.run_us = static_cast<std::uint64_t>(monotonic_us() - child.started_us);
  ended.output = output;
  ended.stderr_tail = error;
  encode(ended, channel_.outgoing());
}

}  // namespace rota::spawner

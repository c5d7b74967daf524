#include "worker/program/signals.h"

#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <utility>

#include "common/base/check.h"

namespace rota::worker {
namespace {

sigset_t ending_signals() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGTERM);
  return set;
}

}  // namespace

void block_signals() {
  sigset_t set = ending_signals();
  sigaddset(&set, SIGPIPE);
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
}

SignalWatch::SignalWatch(std::function<void()> signalled) {
  const sigset_t set = ending_signals();
  signals_ = spawner::Descriptor{signalfd(-1, &set, SFD_CLOEXEC)};
  end_ = spawner::Descriptor{eventfd(0, EFD_CLOEXEC)};
  ROTA_CHECK(signals_.open() && end_.open());
  thread_ = std::thread{[this, call = std::move(signalled)] {
    std::array<pollfd, 2> watched{pollfd{signals_.get(), POLLIN, 0}, pollfd{end_.get(), POLLIN, 0}};
    while (poll(watched.data(), watched.size(), -1) < 0 || watched[1].revents == 0) {
      signalfd_siginfo info;
      if (watched[0].revents != 0 && read(signals_.get(), &info, sizeof info) == sizeof info) call();
    }
  }};
}

SignalWatch::~SignalWatch() {
  const std::uint64_t one = 1;
  [[maybe_unused]] const ssize_t size = write(end_.get(), &one, sizeof one);
  thread_.join();
}

}  // namespace rota::worker

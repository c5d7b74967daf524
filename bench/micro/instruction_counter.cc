#include "bench/micro/instruction_counter.h"

#include <linux/perf_event.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace rota::micro {

InstructionCounter::InstructionCounter() {
  perf_event_attr wanted{};
  wanted.type = PERF_TYPE_HARDWARE;
  wanted.size = sizeof wanted;
  wanted.config = PERF_COUNT_HW_INSTRUCTIONS;
  wanted.disabled = 1;
  wanted.exclude_kernel = 1;  // what an ordinary user may count
  wanted.exclude_hv = 1;
  constexpr int kThisThread = 0;
  constexpr int kAnyProcessor = -1;
  constexpr int kNoGroup = -1;
  fd_ =
      static_cast<int>(::syscall(SYS_perf_event_open, &wanted, kThisThread, kAnyProcessor, kNoGroup, PERF_FLAG_FD_CLOEXEC));
}

InstructionCounter::~InstructionCounter() {
  if (fd_ >= 0) ::close(fd_);
}

void InstructionCounter::start() const {
  if (fd_ < 0) return;
  ::ioctl(fd_, PERF_EVENT_IOC_RESET, 0);
  ::ioctl(fd_, PERF_EVENT_IOC_ENABLE, 0);
}

void InstructionCounter::report(benchmark::State& state, std::int64_t items) const {
  std::uint64_t count = 0;
  if (fd_ < 0 || items <= 0) return;
  ::ioctl(fd_, PERF_EVENT_IOC_DISABLE, 0);
  if (::read(fd_, &count, sizeof count) != sizeof count) return;
  state.counters["instructions"] = static_cast<double>(count) / static_cast<double>(items);
}

}  // namespace rota::micro

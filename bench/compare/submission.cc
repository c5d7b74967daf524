#include "bench/compare/submission.h"

#include <sys/timerfd.h>

#include <algorithm>

#include "bench/compare/failure.h"
#include "bench/compare/monotonic_clock.h"

namespace rota::compare {

namespace {

constexpr std::int64_t kSecond = 1'000'000'000;

void arm(int timer_fd, std::int64_t at_ns) {
  itimerspec when{};
  when.it_value.tv_sec = at_ns / kSecond;
  when.it_value.tv_nsec = at_ns % kSecond;
  // Setting it again also makes it unreadable.
  if (::timerfd_settime(timer_fd, TFD_TIMER_ABSTIME, &when, nullptr) != 0) fail_errno("timerfd");
}

}  // namespace

void submit_share(Producer& producer, Progress& progress, const Load& load, Share share, bool told, bool windowed) {
  const std::uint64_t total = share.end - share.first;
  const std::uint64_t most_open = load.unacknowledged > 0 ? load.unacknowledged : load.window;
  std::uint64_t submitted = 0;
  const auto room = [&](std::uint64_t count) {
    if (submitted + count - producer.acknowledged() > std::max(most_open, load.batch)) return false;
    if (!windowed) return true;
    const std::uint64_t done = told ? producer.known() : progress.completed_count();
    return submitted + count - done <= load.window;
  };
  while (submitted < total || producer.acknowledged() < total || (told && producer.known() < total)) {
    const std::uint64_t count = std::min(load.batch, total - submitted);
    if (count > 0 && room(count)) {
      producer.submit(share.first + submitted, count, now_ns());
      submitted += count;
      continue;
    }
    if (windowed && !told) {
      progress.clear_wake();
      progress.wake_when_done();
      if (count > 0 && room(count)) continue;
    }
    producer.await_answers();
  }
}

void submit_by_schedule(Producer& producer, const Load& load, bool told, int timer_fd) {
  const std::int64_t start = now_ns();
  const auto due = [&](std::uint64_t job) {
    return start + static_cast<std::int64_t>(static_cast<double>(job) * static_cast<double>(kSecond) /
                                             static_cast<double>(load.rate));
  };
  std::uint64_t submitted = 0;
  while (submitted < load.jobs) {
    if (now_ns() >= due(submitted)) {
      producer.submit(submitted, 1, due(submitted));
      ++submitted;
      continue;
    }
    arm(timer_fd, due(submitted));
    while (now_ns() < due(submitted)) producer.await_answers();
  }
  arm(timer_fd, 0);
  while (producer.acknowledged() < load.jobs || (told && producer.known() < load.jobs)) producer.await_answers();
}

}  // namespace rota::compare

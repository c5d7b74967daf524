#include "client/cli/wait_display.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <string>

#include "common/base/clock.h"

namespace rota::cli {

namespace {

constexpr std::int64_t kRedrawUs = 100'000;
constexpr std::size_t kLongestBar = 30;
constexpr std::size_t kShortestBar = 5;  // a shorter one tells nothing
constexpr std::size_t kDefaultColumns = 80;

std::size_t terminal_columns() {
  winsize size{};
  if (::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return kDefaultColumns;
  return size.ws_col;
}

}  // namespace

std::string progress_line(std::uint64_t done, std::uint64_t total, std::uint64_t failed, double rate, std::size_t columns) {
  // A terminal may wrap when its last column is written.
  const std::size_t room = columns > 0 ? columns - 1 : 0;
  std::string text = std::to_string(done) + "/" + std::to_string(total);
  if (failed > 0) text += ", " + std::to_string(failed) + " failed";
  const std::string speed = ", " + std::to_string(std::llround(rate)) + "/s";
  if (text.size() + speed.size() <= room) text += speed;
  if (text.size() > room) text.resize(room);
  constexpr std::size_t kFrame = 3;  // "[", "] "
  if (text.size() + kFrame + kShortestBar > room) return text;
  const std::size_t width = std::min(kLongestBar, room - text.size() - kFrame);
  std::string bar(total == 0 ? width : std::min<std::size_t>(width, done * width / total), '#');
  bar.resize(width, '.');
  return "[" + bar + "] " + text;
}

WaitDisplay::WaitDisplay(std::uint64_t total, bool enabled)
    : total_(total), enabled_(enabled), terminal_(::isatty(STDERR_FILENO) == 1), start_us_(monotonic_us()) {}

double WaitDisplay::seconds() const { return static_cast<double>(monotonic_us() - start_us_) / 1e6; }

void WaitDisplay::update(std::uint64_t done, std::uint64_t failed, bool force) {
  if (!enabled_ || !terminal_) return;
  const std::int64_t now = monotonic_us();
  if (!force && now - drawn_us_ < kRedrawUs) return;
  drawn_us_ = now;
  drawn_ = true;
  const double rate = seconds() > 0 ? static_cast<double>(done) / seconds() : 0;
  std::fprintf(stderr, "\r\x1b[K%s", progress_line(done, total_, failed, rate, terminal_columns()).c_str());
  std::fflush(stderr);
}

void WaitDisplay::clear() {
  if (!drawn_) return;
  std::fputs("\r\x1b[K", stderr);
  std::fflush(stderr);
  drawn_ = false;
}

void WaitDisplay::finish(std::uint64_t done, std::uint64_t failed) {
  if (!enabled_) return;
  clear();
  std::fprintf(stderr, "rota: %llu of %llu jobs final, %llu succeeded, %llu did not, in %.1f s\n",
               static_cast<unsigned long long>(done), static_cast<unsigned long long>(total_),
               static_cast<unsigned long long>(done - failed), static_cast<unsigned long long>(failed), seconds());
}

}  // namespace rota::cli

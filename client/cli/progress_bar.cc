#include "client/cli/progress_bar.h"

#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "client/cli/text_style.h"
#include "common/base/clock.h"

namespace rota::cli {

namespace {

constexpr std::int64_t kRedrawUs = 100'000;
constexpr std::size_t kLongestBar = 30;
constexpr std::size_t kShortestBar = 5;  // a shorter one tells nothing

}  // namespace

std::string progress_line(std::uint64_t done, std::uint64_t total, std::uint64_t failed, double rate, std::size_t columns) {
  // A terminal may wrap when its last column is written.
  const std::size_t room = columns > 0 ? columns - 1 : 0;
  std::string text = std::to_string(done);
  if (total > 0) text.append("/").append(std::to_string(total));
  if (failed > 0) text.append(", ").append(std::to_string(failed)).append(" failed");
  const std::string speed = std::string(", ") + std::to_string(std::llround(rate)) + "/s";
  if (text.size() + speed.size() <= room) text += speed;
  if (text.size() > room) text.resize(room);
  constexpr std::size_t kFrame = 3;  // "[", "] "
  if (total == 0 || text.size() + kFrame + kShortestBar > room) return text;
  const std::size_t width = std::min(kLongestBar, room - text.size() - kFrame);
  std::string bar(std::min<std::size_t>(width, done * width / total), '#');
  bar.resize(width, '.');
  return "[" + bar + "] " + text;
}

ProgressBar::ProgressBar(std::uint64_t total, bool enabled)
    : total_(total), drawable_(enabled && can_redraw(STDERR_FILENO)), start_us_(monotonic_us()) {}

double ProgressBar::seconds() const { return static_cast<double>(monotonic_us() - start_us_) / 1e6; }

void ProgressBar::update(std::uint64_t done, std::uint64_t failed) {
  if (!drawable_) return;
  const std::int64_t now = monotonic_us();
  if (now - drawn_us_ < kRedrawUs) return;
  drawn_us_ = now;
  drawn_ = true;
  const double rate = seconds() > 0 ? static_cast<double>(done) / seconds() : 0;
  std::fprintf(stderr, "\r\x1b[K%s", progress_line(done, total_, failed, rate, text_style(STDERR_FILENO).columns).c_str());
  std::fflush(stderr);
}

void ProgressBar::clear() {
  if (!drawn_) return;
  std::fputs("\r\x1b[K", stderr);
  std::fflush(stderr);
  drawn_ = false;
}

}  // namespace rota::cli

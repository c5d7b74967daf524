#include "client/cli/wait_display.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <string>

#include "common/base/clock.h"

namespace rota::cli {

namespace {

constexpr std::int64_t kRedrawUs = 100'000;
constexpr std::uint64_t kBarWidth = 30;

}  // namespace

WaitDisplay::WaitDisplay(std::uint64_t total, bool enabled)
    : total_(total), enabled_(enabled), terminal_(::isatty(STDERR_FILENO) == 1), start_us_(monotonic_us()) {}

double WaitDisplay::seconds() const { return static_cast<double>(monotonic_us() - start_us_) / 1e6; }

void WaitDisplay::update(std::uint64_t done, std::uint64_t failed, bool force) {
  if (!enabled_ || !terminal_) return;
  const std::int64_t now = monotonic_us();
  if (!force && now - drawn_us_ < kRedrawUs) return;
  drawn_us_ = now;
  drawn_ = true;
  const std::uint64_t filled = total_ == 0 ? kBarWidth : std::min(kBarWidth, done * kBarWidth / total_);
  std::string bar(filled, '#');
  bar.resize(kBarWidth, '.');
  const double rate = seconds() > 0 ? static_cast<double>(done) / seconds() : 0;
  std::fprintf(stderr, "\r\x1b[K[%s] %llu/%llu", bar.c_str(), static_cast<unsigned long long>(done),
               static_cast<unsigned long long>(total_));
  if (failed > 0) std::fprintf(stderr, ", %llu failed", static_cast<unsigned long long>(failed));
  std::fprintf(stderr, ", %.0f/s", rate);
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

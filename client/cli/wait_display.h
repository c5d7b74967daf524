#pragma once

#include <cstdint>
#include <string>

namespace rota::cli {

// The bar and its numbers in less than `columns` characters, so that no terminal wraps it.
[[nodiscard]] std::string progress_line(std::uint64_t done, std::uint64_t total, std::uint64_t failed, double rate,
                                        std::size_t columns);

// Tells people on stderr how far several jobs are: a bar that is redrawn on a terminal, one line at the end elsewhere.
class WaitDisplay {
 public:
  WaitDisplay(std::uint64_t total, bool enabled);

  // Redraws the bar, at most ten times a second unless `force`.
  void update(std::uint64_t done, std::uint64_t failed, bool force = false);
  // Removes the bar before something else is written.
  void clear();
  // The last word.
  void finish(std::uint64_t done, std::uint64_t failed);

 private:
  [[nodiscard]] double seconds() const;

  std::uint64_t total_;
  bool enabled_;
  bool terminal_;
  bool drawn_ = false;
  std::int64_t start_us_;
  std::int64_t drawn_us_ = 0;
};

}  // namespace rota::cli

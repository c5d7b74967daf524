#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace rota::cli {

// The bar and its numbers in less than `columns` characters, so that no terminal wraps it. `total` 0: unknown, numbers
// only.
[[nodiscard]] std::string progress_line(std::uint64_t done, std::uint64_t total, std::uint64_t failed, double rate,
                                        std::size_t columns);

// Tells people how far something long is: one line on stderr, drawn again in place. Draws nothing where that cannot be done
// (a pipe, a file, a dumb terminal) or if not `enabled`.
//
//   ProgressBar bar(0, session.output() == Output::text);   // total not known
//   while (more) { …; bar.update(done); }
//   bar.clear();
class ProgressBar {
 public:
  explicit ProgressBar(std::uint64_t total, bool enabled = true);
  ~ProgressBar() { clear(); }
  ProgressBar(const ProgressBar&) = delete;
  ProgressBar& operator=(const ProgressBar&) = delete;

  // Draws it, at most ten times a second.
  void update(std::uint64_t done, std::uint64_t failed = 0);
  // Removes it, before anything else is written; the next update() draws it again.
  void clear();
  // Since it was made.
  [[nodiscard]] double seconds() const;

 private:
  std::uint64_t total_;
  bool drawable_;
  bool drawn_ = false;
  std::int64_t start_us_;
  std::int64_t drawn_us_ = 0;
};

}  // namespace rota::cli

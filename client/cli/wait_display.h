#pragma once

#include <cstdint>

#include "client/cli/progress_bar.h"

namespace rota::cli {

// Tells people on stderr how far several jobs are: a bar on a terminal, and one line at the end.
class WaitDisplay {
 public:
  WaitDisplay(std::uint64_t total, bool enabled) : total_(total), enabled_(enabled), bar_(total, enabled) {}

  void update(std::uint64_t done, std::uint64_t failed) { bar_.update(done, failed); }
  // Removes the bar before something else is written.
  void clear() { bar_.clear(); }
  // The last word.
  void finish(std::uint64_t done, std::uint64_t failed);

 private:
  std::uint64_t total_;
  bool enabled_;
  ProgressBar bar_;
};

}  // namespace rota::cli

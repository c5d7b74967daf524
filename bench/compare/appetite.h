#pragma once

#include <algorithm>
#include <cstddef>

namespace rota::compare {

// How many jobs a worker asks for at once where asking for one that is not there costs the server something: a batch while
// there is that much, otherwise about what there was.
class Appetite {
 public:
  explicit Appetite(std::size_t most) : most_(most), ask_(most) {}
  [[nodiscard]] std::size_t ask() const { return ask_; }
  void got(std::size_t jobs) { ask_ = jobs >= ask_ ? std::min(most_, ask_ * 2) : std::max<std::size_t>(jobs, 1); }

 private:
  std::size_t most_, ask_;
};

}  // namespace rota::compare

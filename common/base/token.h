#pragma once

#include <compare>
#include <cstdint>

namespace rota {

// Names one dispatch of one job, and fences every other. `epoch` is raised in the store each time a core opens it;
// `dispatch` counts the shard's dispatches. Compared for equality only. {0,0} is no token.
struct Token {
  std::uint64_t epoch = 0;
  std::uint64_t dispatch = 0;

  auto operator<=>(const Token&) const = default;
  [[nodiscard]] bool is_none() const { return epoch == 0 && dispatch == 0; }
};

}  // namespace rota

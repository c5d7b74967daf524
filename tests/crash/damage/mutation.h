#pragma once

#include <cstdint>
#include <random>
#include <string>
#include <vector>

namespace rota::store::test {

// One way to damage a file of `kPage` bytes a page.
struct Mutation {
  enum class Kind { flip, byte, zero, noise, swap, copy, cut };
  Kind kind = Kind::flip;
  std::uint64_t at = 0;  // flip: bit; byte: byte; cut: length; else page
  std::uint64_t by = 0;  // byte: its new value; swap and copy: the other page; noise: seed

  // False: it changes nothing.
  [[nodiscard]] bool apply(std::string& file) const;
  [[nodiscard]] std::string text() const;
};

inline constexpr std::uint64_t kPage = 4096;

struct MutationGroup {
  std::string name;
  std::vector<Mutation> mutations;
};
// At most `most` of each group, drawn by `seed`, of a file of that many pages.
[[nodiscard]] std::vector<MutationGroup> make_mutations(std::uint64_t pages, std::size_t most, std::uint64_t seed);

}  // namespace rota::store::test

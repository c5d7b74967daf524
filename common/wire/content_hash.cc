#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <string>

#define XXH_STATIC_LINKING_ONLY  // XXH3_state_t on the stack
#include <xxhash.h>

#include "common/wire/codec.h"

// docs/protocol.md, "Content", defines every byte that is hashed here, with vectors.
namespace rota::wire {
namespace {

static_assert(std::endian::native == std::endian::little,
              "integers are hashed in little-endian order as they lie in memory");

class Hasher {
 public:
  Hasher() { XXH3_64bits_reset(&state_); }

  template <typename Integer>
  void integer(Integer value) {
    XXH3_64bits_update(&state_, &value, sizeof value);
  }
  void raw(std::string_view bytes) {
    if (!bytes.empty()) XXH3_64bits_update(&state_, bytes.data(), bytes.size());
  }
  // With its length before it: no two different lists of strings look alike.
  void counted(std::string_view bytes) {
    integer(static_cast<std::uint32_t>(bytes.size()));
    raw(bytes);
  }
  void sorted_pairs(std::vector<Pair> pairs) {
    std::sort(pairs.begin(), pairs.end());
    integer(static_cast<std::uint32_t>(pairs.size()));
    for (const auto& [name, value] : pairs) {
      counted(name);
      counted(value);
    }
  }
  [[nodiscard]] std::uint64_t digest() const { return XXH3_64bits_digest(&state_); }

 private:
  XXH3_state_t state_;
};

}  // namespace

std::uint64_t shared_content_hash(const SubmitShared& shared) {
  Hasher hasher;
  hasher.counted(shared.queue);
  hasher.counted(shared.type);
  hasher.sorted_pairs(shared.spec.headers);
  hasher.integer(static_cast<std::uint8_t>(shared.spec.command ? 1 : 0));
  if (shared.spec.command) {
    const Command& command = *shared.spec.command;
    hasher.integer(static_cast<std::uint32_t>(command.argv.size()));
    for (const std::string_view argument : command.argv) hasher.counted(argument);
    hasher.sorted_pairs(command.env);
    hasher.counted(command.cwd);
  }
  return hasher.digest();
}

std::uint64_t content_hash(std::uint64_t shared_hash, const SubmitItem& item) {
  Hasher hasher;
  hasher.integer(shared_hash);
  hasher.counted(item.key);
  hasher.integer(static_cast<std::uint8_t>(item.selector.kind));
  if (item.selector.kind == Selector::Kind::index) hasher.integer(item.selector.index);
  if (item.selector.kind == Selector::Kind::line) hasher.counted(item.selector.line);
  hasher.counted(item.payload);
  return hasher.digest();
}

}  // namespace rota::wire

#pragma once

#include <absl/container/btree_set.h>

#include <compare>
#include <cstdint>
#include <optional>

#include "broker/queue/chunked_slab.h"

namespace rota::queue {

// Things by the millisecond at which something is due for them. 12 bytes an entry in nodes of twenty.
class DeadlineTree {
 public:
  struct Key {
    std::uint32_t high = 0, low = 0, index = 0;
    auto operator<=>(const Key&) const = default;
    [[nodiscard]] std::int64_t ms() const {
      return static_cast<std::int64_t>((static_cast<std::uint64_t>(high) << 32U) | low);
    }
  };

  void insert(std::int64_t ms, std::uint32_t index) { tree_.insert(key(ms, index)); }
  // Whether it was there.
  bool erase(std::int64_t ms, std::uint32_t index) { return tree_.erase(key(ms, index)) == 1; }
  [[nodiscard]] bool empty() const { return tree_.empty(); }
  [[nodiscard]] std::size_t size() const { return tree_.size(); }
  // INT64_MAX if there is none.
  [[nodiscard]] std::int64_t earliest() const { return tree_.empty() ? INT64_MAX : tree_.begin()->ms(); }
  // The index of the first one if it is due by `ms`, else kNone. Stays in the tree.
  [[nodiscard]] std::uint32_t first_due(std::int64_t ms) const {
    return tree_.empty() || tree_.begin()->ms() > ms ? kNone : tree_.begin()->index;
  }
  // The first entry above `after`, in order; nothing at the end.
  [[nodiscard]] std::optional<Key> next_after(const Key& after) const {
    const auto at = tree_.upper_bound(after);
    return at == tree_.end() ? std::nullopt : std::optional<Key>(*at);
  }
  [[nodiscard]] bool contains(std::int64_t ms, std::uint32_t index) const { return tree_.contains(key(ms, index)); }

 private:
  [[nodiscard]] static Key key(std::int64_t ms, std::uint32_t index) {
    const auto bits = static_cast<std::uint64_t>(ms < 0 ? 0 : ms);
    return {static_cast<std::uint32_t>(bits >> 32U), static_cast<std::uint32_t>(bits & UINT32_MAX), index};
  }
  absl::btree_set<Key> tree_;
};
static_assert(sizeof(DeadlineTree::Key) == 12);

}  // namespace rota::queue

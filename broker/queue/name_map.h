#pragma once

#include <absl/container/flat_hash_map.h>

#include <string>
#include <string_view>

#include "common/base/keyed_hash.h"

namespace rota::queue {

struct NameHash {
  using is_transparent = void;
  std::size_t operator()(std::string_view name) const { return keyed_hash(name); }
};
struct NameEqual {
  using is_transparent = void;
  bool operator()(std::string_view a, std::string_view b) const { return a == b; }
};
// By name; found with a std::string_view, which Abseil's own string hash does not take as Debian builds it.
template <typename T>
using NameMap = absl::flat_hash_map<std::string, T, NameHash, NameEqual>;

}  // namespace rota::queue

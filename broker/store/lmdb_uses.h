#pragma once

#include <cstdint>
#include <map>

#include "broker/store/lmdb_env.h"

namespace rota::store::lmdb {

// Counts how many jobs name a shared part, over one transaction; a part that nobody names any more is deleted.
class SharedUses {
 public:
  explicit SharedUses(const Env& env) : env_(env) {}

  void add(std::uint64_t number, std::uint64_t jobs) { changes_[number] += static_cast<std::int64_t>(jobs); }
  // `number` 0, an inline part, has no count.
  void remove(std::uint64_t number) {
    if (number != 0) --changes_[number];
  }
  [[nodiscard]] Status apply(const Txn& txn);

 private:
  [[nodiscard]] Status change(const Txn& txn, const Cursor& uses, std::uint64_t number, std::int64_t by);

  const Env& env_;
  std::map<std::uint64_t, std::int64_t> changes_;  // in key order
};

}  // namespace rota::store::lmdb

#include "broker/store/lmdb_uses.h"

#include "broker/store/fields.h"

namespace rota::store::lmdb {

Status SharedUses::apply(const Txn& txn) {
  if (changes_.empty()) return {};
  const auto uses = env_.cursor(txn, Table::uses);
  if (!uses) return uses.error();
  for (const auto& [number, by] : changes_) {
    if (Status status = change(txn, *uses, number, by); !status) return status;
  }
  changes_.clear();
  return {};
}

Status SharedUses::change(const Txn& txn, const Cursor& uses, std::uint64_t number, std::int64_t by) {
  const NumberKey key = number_key(number);
  const auto stored = get(env_, txn, Table::uses, view(key));
  if (!stored) return stored.error();
  std::uint64_t before = 0;
  if (*stored) {
    FieldReader read(**stored);
    before = read.varint();
    if (!read.ok()) return env_.damaged(Table::uses, view(key));
  }
  const auto after = static_cast<std::int64_t>(before) + by;
  if (after < 0) return env_.damaged(Table::uses, view(key));
  int rc = 0;
  if (after > 0) {
    std::string payload;
    FieldWriter(payload).varint(static_cast<std::uint64_t>(after));
    rc = *stored ? put(uses, Table::uses, view(key), {payload}, 0) : append(uses, Table::uses, view(key), {payload});
  } else {
    rc = erase(uses, view(key));
    if (rc == 0) {
      const auto shared = env_.cursor(txn, Table::shared);
      if (!shared) return shared.error();
      rc = erase(*shared, view(key));
    }
  }
  if (rc != 0) return env_.failure("write " + record_name(Table::uses, view(key)), rc);
  return {};
}

}  // namespace rota::store::lmdb

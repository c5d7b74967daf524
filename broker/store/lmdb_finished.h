#pragma once

#include <functional>
#include <optional>
#include <string_view>

#include "broker/store/lmdb_store.h"

namespace rota::store::lmdb {

// Reads finished jobs, filed or not, in one read transaction. Whatever it gives is checked.
class FinishedReader {
 public:
  // Views live during the call only.
  using Sink = std::function<void(const queue::FinishedJob&)>;

  FinishedReader(const Env& env, const Txn& txn, bool with_body)
      : env_(env), txn_(txn), shared_(env, txn), with_body_(with_body) {}

  // `place`: finish number, or 0. False: no such job; INTERNAL if its record may be there under a damaged key.
  Result<bool> read(const JobId& id, std::uint64_t place, const Sink& sink);
  // The unswept one at `place`. False: it is not there any more.
  Result<bool> unswept(const JobId& id, std::uint64_t place, const Sink& sink);
  // Gives `record`, the one under `id` in `finished`.
  Status filed(const JobId& id, std::string_view record, const Sink& sink);

  [[nodiscard]] SharedReader& shared() { return shared_; }

 private:
  Status check_gap(const Cursor& finished, const JobId& id, bool has_next, MDB_val key, MDB_val value);
  [[nodiscard]] Status check_moved(const JobId& id, std::string_view key, std::string_view record) const;
  Status give(const StoredJob& stored, const StoredEnd& end, Table table, std::string_view key, const Sink& sink);

  const Env& env_;
  const Txn& txn_;
  SharedReader shared_;
  bool with_body_;
  std::optional<Cursor> finished_;
  std::optional<const void*> sound_gap_;  // the last one that was checked, by the record behind it; null: the table's end
};

// Whether the record of `finished` under `key` is the one that was written there, as far as the ids in it tell. One whose
// key is damaged is not found by its id; it stands next to where that would be, as keys rise (page_walk.h).
[[nodiscard]] bool is_in_place(std::string_view key, std::string_view record);

}  // namespace rota::store::lmdb

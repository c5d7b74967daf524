#pragma once

#include <functional>

#include "broker/store/lmdb_store.h"

namespace rota::store::lmdb {

// Reads finished jobs, filed or not, in one read transaction. Whatever it gives is checked.
class FinishedReader {
 public:
  // Views live during the call only.
  using Sink = std::function<void(const queue::FinishedJob&)>;

  FinishedReader(const Env& env, const Txn& txn, bool with_body)
      : env_(env), txn_(txn), shared_(env, txn), with_body_(with_body) {}

  // `place`: finish number, or 0. False: no such job.
  Result<bool> read(const JobId& id, std::uint64_t place, const Sink& sink);
  // The unswept one at `place`. False: it is not there any more.
  Result<bool> unswept(const JobId& id, std::uint64_t place, const Sink& sink);
  // Gives `record`, the one under `id` in `finished`.
  Status filed(const JobId& id, std::string_view record, const Sink& sink);

  [[nodiscard]] SharedReader& shared() { return shared_; }

 private:
  Status give(const StoredJob& stored, const StoredEnd& end, Table table, std::string_view key, const Sink& sink);

  const Env& env_;
  const Txn& txn_;
  SharedReader shared_;
  bool with_body_;
};

}  // namespace rota::store::lmdb

#include "broker/store/lmdb_finished.h"

namespace rota::store::lmdb {

Result<bool> FinishedReader::read(const JobId& id, std::uint64_t place, const Sink& sink) {
  if (place != 0) {
    auto found = unswept(id, place, sink);
    if (!found || *found) return found;
  }
  MDB_val key = to_val(view(id));
  MDB_val value{};
  const int rc = ::mdb_get(txn_.get(), env_.table(Table::finished), &key, &value);
  if (rc == MDB_NOTFOUND) return false;
  if (rc != 0) return env_.failure("read finished", rc);
  if (Status s = filed(id, to_view(value), sink); !s) return s.error();
  return true;
}

Result<bool> FinishedReader::unswept(const JobId& id, std::uint64_t place, const Sink& sink) {
  const NumberKey finish = number_key(place);
  const auto payload = get(env_, txn_, Table::outcomes, view(finish));
  if (!payload) return payload.error();
  if (!*payload) return false;
  StoredEnd end;
  if (!decode_end(**payload, end) || end.outcome.id != id) return env_.damaged(Table::outcomes, view(finish));
  const NumberKey sequence = number_key(end.outcome.sequence);
  MDB_val key = to_val(view(sequence));
  MDB_val value{};
  const int rc = ::mdb_get(txn_.get(), env_.table(Table::bodies), &key, &value);
  if (rc != 0 && rc != MDB_NOTFOUND) return env_.failure("read bodies", rc);
  StoredJob stored;
  if (rc != 0 || !open_job(view(sequence), to_view(value), with_body_, stored)) {
    return env_.damaged(Table::bodies, view(sequence));
  }
  if (Status s = give(stored, end, Table::bodies, view(sequence), sink); !s) return s.error();
  return true;
}

Status FinishedReader::filed(const JobId& id, std::string_view record, const Sink& sink) {
  StoredFinished finished;
  if (!open_finished(view(id), record, with_body_, finished)) return env_.damaged(Table::finished, view(id));
  return give(finished.stored, finished.end, Table::finished, view(id), sink);
}

Status FinishedReader::give(const StoredJob& stored, const StoredEnd& end, Table table, std::string_view key,
                            const Sink& sink) {
  const auto part = shared_.of(stored, table, key);
  if (!part) return part.error();
  queue::FinishedJob job;
  job.job = stored.job;
  job.outcome = end.outcome;
  job.body_size = static_cast<std::uint32_t>(stored.job.body.size());
  job.job.sequence = end.outcome.sequence;
  job.job.shared = *part;
  if (!with_body_) job.job.body = {};
  sink(job);
  return {};
}

}  // namespace rota::store::lmdb

#include "broker/store/lmdb_finished.h"

namespace rota::store::lmdb {

Result<bool> FinishedReader::read(const JobId& id, std::uint64_t place, const Sink& sink) {
  if (place != 0) {
    auto found = unswept(id, place, sink);
    if (!found || *found) return found;
  }
  if (!finished_) {
    auto cursor = env_.cursor(txn_, Table::finished);
    if (!cursor) return cursor.error();
    finished_.emplace(std::move(cursor).value());
  }
  MDB_val key = to_val(view(id));
  MDB_val value{};
  const int rc = ::mdb_cursor_get(finished_->get(), &key, &value, MDB_SET_RANGE);
  if (rc != 0 && rc != MDB_NOTFOUND) return env_.failure("read finished", rc);
  if (rc == 0 && to_view(key) == view(id)) {
    if (Status s = filed(id, to_view(value), sink); !s) return s.error();
    return true;
  }
  if (Status s = check_gap(*finished_, id, rc == 0, key, value); !s) return s.error();
  return false;
}

// There is no record of `id`. `finished` stands at the one behind where it would be, if there is any. Ids that are looked
// for together mostly fall into one gap, that behind the last record: it is checked once.
Status FinishedReader::check_gap(const Cursor& finished, const JobId& id, bool has_next, MDB_val key, MDB_val value) {
  const void* const gap = has_next ? value.mv_data : nullptr;
  if (sound_gap_ == gap) return {};
  bool is_sound = true;
  for (const bool forward : {true, false}) {
    int rc = 0;
    if (forward) {
      if (!has_next) continue;
    } else {
      MDB_val start = to_val(view(id));
      rc = ::mdb_cursor_get(finished.get(), &start, &value, MDB_SET_RANGE);
      rc = ::mdb_cursor_get(finished.get(), &key, &value, rc == MDB_NOTFOUND ? MDB_LAST : MDB_PREV);
    }
    // Mostly the first is in place. Of several with damaged keys in a row each may be the one.
    for (; rc == 0 && !is_in_place(to_view(key), to_view(value));
         rc = ::mdb_cursor_get(finished.get(), &key, &value, forward ? MDB_NEXT : MDB_PREV)) {
      is_sound = false;
      if (Status s = check_moved(id, to_view(key), to_view(value)); !s) return s;
    }
    if (rc != 0 && rc != MDB_NOTFOUND) return env_.failure("read finished", rc);
  }
  if (is_sound) sound_gap_ = gap;
  return {};
}

// A record that is not in place: whether it may be that of `id`.
Status FinishedReader::check_moved(const JobId& id, std::string_view key, std::string_view record) const {
  StoredFinished moved;
  const bool is_read = record.size() >= kChecksumSize && decode_finished(record.substr(kChecksumSize), moved);
  const JobId owner = moved.stored.job.id;
  // Whose it is nobody knows: it may be the one.
  if (!is_read || !open_finished(view(owner), record, false, moved)) return env_.damaged(Table::finished, key);
  if (owner == id) return env_.damaged(Table::finished, view(id));
  return {};
}

bool is_in_place(std::string_view key, std::string_view record) {
  if (key.size() != JobId().bytes.size() || record.size() < kChecksumSize) return false;
  const std::string_view payload = record.substr(kChecksumSize);
  if (const auto id = peek_finished_id(payload); id && view(*id) == key) return true;
  // That one is damaged: the job part has the id as well, wherever it begins now.
  return payload.find(key) != std::string_view::npos;
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

#include <algorithm>

#include "broker/store/lmdb_finished.h"

// Lists: finished jobs by id, which is the order they were made in.
namespace rota::store::lmdb {
namespace {

// One walk down `finished` and, beside it, the outcomes that are not filed yet. Records that do not match are checked like
// the others: a damaged field must not hide one.
class ListWalk {
 public:
  ListWalk(const Env& env, const Txn& txn, const ListQuery& query, const DoomedJobs& doomed,
           std::vector<UnsweptIndex::Change> unswept, const FinishedReader::Sink& sink)
      : env_(env),
        txn_(txn),
        query_(query),
        doomed_(doomed),
        unswept_(std::move(unswept)),
        sink_(sink),
        reader_(env, txn, query.with_body) {}

  Result<ListPage> run() {
    auto finished = env_.cursor(txn_, Table::finished);
    if (!finished) return finished.error();
    auto outcomes = env_.cursor(txn_, Table::outcomes);
    if (!outcomes) return outcomes.error();
    auto bodies = env_.cursor(txn_, Table::bodies);
    if (!bodies) return bodies.error();
    outcomes_ = &*outcomes;
    bodies_ = &*bodies;
    if (Status s = begin(*finished); !s) return s.error();
    if (Status s = walk(*finished); !s) return s.error();
    return page_;
  }

 private:
  Status walk(const Cursor& finished) {
    const std::size_t most = std::max<std::size_t>(query_.most, 1);
    const std::size_t visits = std::max<std::size_t>(query_.visits, 1);
    std::size_t given = 0;
    while (at_filed_ || next_unswept_ < unswept_.size()) {
      const bool in_index = next_unswept_ < unswept_.size() && (!at_filed_ || filed_id_ <= unswept_[next_unswept_].id);
      const JobId id = in_index ? unswept_[next_unswept_].id : filed_id_;
      if (time_of(id) < query_.since) return at_filed_ ? check_place(view(filed_id_), filed_) : Status();
      if (given == most || page_.visited == visits) {
        page_.more = true;
        return {};
      }
      ++page_.visited;
      page_.reached = id;
      const bool in_table = at_filed_ && filed_id_ == id;
      bool there = false;
      bool matches = false;
      if (in_index) {
        if (Status s = look_unswept(unswept_[next_unswept_++], there, matches); !s) return s;
      }
      // Filed since the index was asked; or an earlier job of the id is filed and the later one is not.
      if (in_table && !there) {
        if (Status s = look_filed(matches); !s) return s;
      }
      if (matches) ++given;
      if (in_table) {
        if (Status s = step(finished, MDB_PREV); !s) return s;
      }
    }
    return {};
  }

  // To the highest record under query_.below.
  Status begin(const Cursor& finished) {
    if (query_.below.is_nil()) return step(finished, MDB_LAST);
    MDB_val key = to_val(view(query_.below));
    MDB_val value{};
    const int rc = ::mdb_cursor_get(finished.get(), &key, &value, MDB_SET_RANGE);
    if (rc == MDB_NOTFOUND) return step(finished, MDB_LAST);
    if (rc != 0) return env_.failure("read finished", rc);
    if (Status s = check_place(to_view(key), to_view(value)); !s) return s;
    return step(finished, MDB_PREV);
  }

  // The records before and behind what is walked: one that belongs into it may stand there, under a damaged key.
  Status check_place(std::string_view key, std::string_view record) const {
    if (is_in_place(key, record)) return {};
    return env_.damaged(Table::finished, key);
  }

  Status step(const Cursor& finished, MDB_cursor_op where) {
    MDB_val key{};
    MDB_val value{};
    const int rc = ::mdb_cursor_get(finished.get(), &key, &value, where);
    at_filed_ = rc == 0;
    if (rc == MDB_NOTFOUND) return {};
    if (rc != 0) return env_.failure("read finished", rc);
    if (key.mv_size != filed_id_.bytes.size()) return env_.damaged(Table::finished, to_view(key));
    std::memcpy(filed_id_.bytes.data(), key.mv_data, key.mv_size);
    filed_ = to_view(value);
    return {};
  }

  Status look_filed(bool& matches) {
    StoredFinished job;
    if (!open_finished(view(filed_id_), filed_, false, job)) return env_.damaged(Table::finished, view(filed_id_));
    matches = is_wanted(job.end.outcome.state) && !doomed_.contains(filed_id_);
    if (!matches) return {};
    if (Status s = look_shared(job.stored, Table::finished, view(filed_id_), matches); !s || !matches) return s;
    return reader_.filed(filed_id_, filed_, sink_);
  }

  Status look_unswept(const UnsweptIndex::Change& job, bool& there, bool& matches) {
    const NumberKey finish = number_key(job.finish);
    std::string_view record;
    if (Status s = find(*outcomes_, Table::outcomes, view(finish), record, there); !s || !there) return s;
    const auto payload = open_record(Table::outcomes, view(finish), record);
    StoredEnd end;
    if (!payload || !decode_end(*payload, end)) return env_.damaged(Table::outcomes, view(finish));
    matches = is_wanted(end.outcome.state);
    if (matches && is_narrow()) {
      const NumberKey sequence = number_key(end.outcome.sequence);
      bool has_body = false;
      if (Status s = find(*bodies_, Table::bodies, view(sequence), record, has_body); !s) return s;
      StoredJob stored;
      if (!has_body || !open_job(view(sequence), record, false, stored)) return env_.damaged(Table::bodies, view(sequence));
      if (Status s = look_shared(stored, Table::bodies, view(sequence), matches); !s) return s;
    }
    if (!matches) return {};
    const auto given = reader_.unswept(job.id, job.finish, sink_);
    if (!given) return given.error();
    return {};
  }

  Status find(const Cursor& cursor, Table table, std::string_view wanted, std::string_view& record, bool& there) const {
    MDB_val key = to_val(wanted);
    MDB_val value{};
    const int rc = ::mdb_cursor_get(cursor.get(), &key, &value, MDB_SET_KEY);
    if (rc != 0 && rc != MDB_NOTFOUND) return env_.failure("read " + std::string(table_name(table)), rc);
    there = rc == 0;
    if (there) record = to_view(value);
    return {};
  }

  [[nodiscard]] bool is_narrow() const { return !query_.queue.empty() || !query_.type.empty(); }
  [[nodiscard]] bool is_wanted(JobState state) const { return (query_.states & state_bit(state)) != 0; }

  Status look_shared(const StoredJob& stored, Table table, std::string_view key, bool& matches) {
    matches = true;
    if (!is_narrow()) return {};
    const auto shared = reader_.shared().of(stored, table, key);
    if (!shared) return shared.error();
    matches = (query_.queue.empty() || (*shared)->queue == query_.queue) &&
              (query_.type.empty() || (*shared)->type == query_.type);
    return {};
  }

  const Env& env_;
  const Txn& txn_;
  const ListQuery& query_;
  const DoomedJobs& doomed_;
  const std::vector<UnsweptIndex::Change> unswept_;
  const FinishedReader::Sink& sink_;
  FinishedReader reader_;
  const Cursor* outcomes_ = nullptr;
  const Cursor* bodies_ = nullptr;
  std::size_t next_unswept_ = 0;
  bool at_filed_ = false;  // whether the next two are of a record
  JobId filed_id_;
  std::string_view filed_;
  ListPage page_;
};

}  // namespace

Result<ListPage> LmdbStore::list(const ListQuery& query, const std::function<void(const queue::FinishedJob&)>& sink) {
  const DoomedJobs::Read reading(doomed_);
  // Before the transaction begins: see UnsweptIndex. No more of them can be visited.
  std::vector<UnsweptIndex::Change> unswept = unswept_.newest(query.below, std::max<std::size_t>(query.visits, 1) + 1);
  auto txn = env_->begin_read();
  if (!txn) return txn.error();
  return ListWalk(*env_, *txn, query, doomed_, std::move(unswept), sink).run();
}

}  // namespace rota::store::lmdb

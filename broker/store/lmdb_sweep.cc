#include <algorithm>

#include "broker/store/lmdb_store.h"
#include "broker/store/lmdb_uses.h"

namespace rota::store::lmdb {
namespace {

struct Slot {
  std::size_t offset = 0;
  std::size_t size = 0;
};
struct Ended {
  std::uint64_t finish = 0;
  queue::Sequence sequence = 0;
  std::uint64_t lease = 0;
  JobId id;
  Wall forget_at;
  bool files = false;  // goes to `finished`; else its records just go
  Slot outcome;        // payloads in the scratch arena
  Slot job;
  std::size_t job_apart = 0;
};

}  // namespace

// One transaction of maintenance. Each table is walked once, in key order.
class LmdbStore::Sweeper {
 public:
  Sweeper(LmdbStore& store, const Txn& txn, Wall now)
      : store_(store), env_(*store.env_), txn_(txn), now_(now), uses_(env_) {}

  // Moves a slice of ended jobs out of the tables of live ones.
  Status file_ended(MaintainInfo& info) {
    if (Status s = read_ended(); !s) return s;
    if (ended_.empty()) return {};
    if (Status s = take_bodies(); !s) return s;
    if (Status s = erase_states_and_leases(); !s) return s;
    if (Status s = write_finished(); !s) return s;
    std::sort(ended_.begin(), ended_.end(), [](const Ended& a, const Ended& b) { return a.finish < b.finish; });
    std::vector<std::uint64_t> numbers;
    for (const Ended& job : ended_) {
      numbers.push_back(job.finish);
      if (!job.id.is_nil()) filed_.push_back({job.id, job.finish});
    }
    info.swept += ended_.size();
    return erase_numbers(Table::outcomes, numbers);
  }

  // Deletes a slice of finished jobs whose time is over.
  Status forget_due(MaintainInfo& info) {
    std::vector<ForgetEntry> due;
    bool more = false;
    const auto take = [&](const ForgetEntry& entry) {
      if (now_ < entry.forget_at) return false;
      more = due.size() >= limits::kSweepSliceJobs;
      if (!more) due.push_back(entry);
      return !more;
    };
    if (Status s = walk_forget({}, take); !s) return s;
    info.forgotten += due.size();
    info.more = info.more || more;
    return erase_finished(due);
  }

  // Deletes the slice of doomed jobs whose grace is over.
  Status delete_doomed() {
    std::optional<std::vector<ForgetEntry>> due = store_.doomed_.due();
    if (!due) return {};
    deletes_doomed_ = true;
    // One that its time took, or that went on since, is not under this key any more.
    std::vector<ForgetEntry> there;
    for (const ForgetEntry& entry : *due) {
      const ForgetKey key = forget_key(entry.forget_at, entry.id);
      const auto found = get(env_, txn_, Table::forget, {key.data(), key.size()});
      if (!found) return found.error();
      if (*found) there.push_back(entry);
    }
    return erase_finished(there);
  }

  // Brings `finished` a slice closer to --finished-limit: reports go first, then whole records, earliest forget_at first;
  // never one whose end is within the dedup window.
  Status enforce_limit(MaintainInfo& info) {
    const std::uint64_t limit = store_.options_.finished_limit;
    if (bytes_to_stay() <= limit) return {};
    bool stripped = false;
    if (Status s = strip_reports(stripped); !s) return s;
    if (stripped) {
      info.more = true;
      return {};
    }
    return doom_records(bytes_to_stay() - limit, info);
  }

  Status finish() { return uses_.apply(txn_); }
  [[nodiscard]] const std::vector<UnsweptIndex::Change>& filed() const { return filed_; }
  [[nodiscard]] std::size_t ended() const { return ended_.size(); }
  [[nodiscard]] std::vector<ForgetEntry> take_doomed() { return std::move(doomed_); }
  [[nodiscard]] bool deletes_doomed() const { return deletes_doomed_; }
  [[nodiscard]] Result<std::optional<Wall>> first_forget() {
    std::optional<Wall> first;
    if (Status s = walk_forget({},
                               [&](const ForgetEntry& entry) {
                                 first = entry.forget_at;
                                 return false;
                               });
        !s) {
      return s.error();
    }
    return first;
  }

 private:
  [[nodiscard]] std::uint64_t finished_bytes() const {
    return env_.table_bytes(txn_, Table::finished) + env_.table_bytes(txn_, Table::forget);
  }

  // Pages, half-empty ones included, are what is limited: a record counts as its share of them.
  [[nodiscard]] std::uint64_t bytes_each() const {
    const std::uint64_t records = env_.entries(txn_, Table::finished);
    return std::max<std::uint64_t>(1, finished_bytes() / std::max<std::uint64_t>(1, records));
  }
  [[nodiscard]] std::uint64_t bytes_to_stay() const {
    const std::uint64_t bytes = finished_bytes();
    return bytes - std::min(bytes, (store_.doomed_.size() + doomed_.size()) * bytes_each());
  }

  Slot keep(std::string_view bytes) {
    scratch_.append(bytes);
    return {scratch_.size() - bytes.size(), bytes.size()};
  }
  [[nodiscard]] std::string_view kept(Slot slot) const { return {scratch_.data() + slot.offset, slot.size}; }

  // The first outcomes, up to a slice. Everything needed is copied: writing moves pages.
  Status read_ended() {
    const auto cursor = env_.cursor(txn_, Table::outcomes);
    if (!cursor) return cursor.error();
    MDB_val key{};
    MDB_val value{};
    int rc = 0;
    while (ended_.size() < limits::kSweepSliceJobs && scratch_.size() < limits::kSweepSliceBytes &&
           (rc = ::mdb_cursor_get(cursor->get(), &key, &value, MDB_NEXT)) == 0) {
      const auto number = key_number(to_view(key));
      const auto payload = open_record(Table::outcomes, to_view(key), to_view(value));
      StoredEnd end;
      if (!number || !payload || !decode_end(*payload, end)) return env_.damaged(Table::outcomes, to_view(key));
      Ended job;
      job.finish = *number;
      job.sequence = end.outcome.sequence;
      job.lease = end.lease;
      if (end.kind == EndKind::outcome) {
        job.id = end.outcome.id;
        job.forget_at = end.outcome.forget_at;
        job.files = now_ < job.forget_at;
        if (job.files) job.outcome = keep(*payload);
      }
      ended_.push_back(job);
    }
    if (rc != 0 && rc != MDB_NOTFOUND) return env_.failure("read outcomes", rc);
    std::sort(ended_.begin(), ended_.end(), [](const Ended& a, const Ended& b) { return a.sequence < b.sequence; });
    return {};
  }

  Status take_bodies() {
    const auto cursor = env_.cursor(txn_, Table::bodies);
    if (!cursor) return cursor.error();
    for (std::size_t i = 0; i < ended_.size(); ++i) {
      Ended& job = ended_[i];
      const NumberKey number = number_key(job.sequence);
      MDB_val key = to_val(view(number));
      MDB_val value{};
      int rc = ::mdb_cursor_get(cursor->get(), &key, &value, MDB_SET_KEY);
      if (rc == MDB_NOTFOUND && !job.files) continue;  // forgotten twice
      if (rc != 0 && rc != MDB_NOTFOUND) return env_.failure("read bodies", rc);
      StoredJob stored;
      // A large body is checked too: a damaged one must not be given a new place.
      if (rc != 0 || !open_job(view(number), to_view(value), job.files, stored)) {
        return env_.damaged(Table::bodies, view(number));
      }
      if (job.files) {
        const std::string_view payload = to_view(value).substr(kChecksumSize);
        job.job_apart = payload.size() - checked_size(payload, stored);
        job.job = keep(payload);
      } else {
        uses_.remove(stored.shared_number);
      }
      rc = ::mdb_cursor_del(cursor->get(), 0);
      if (rc != 0) return env_.failure("delete from bodies", rc);
    }
    return {};
  }

  Status erase_numbers(Table table, const std::vector<std::uint64_t>& numbers) {
    const auto cursor = env_.cursor(txn_, table);
    if (!cursor) return cursor.error();
    for (const std::uint64_t number : numbers) {
      if (const int rc = erase(*cursor, view(number_key(number))); rc != 0) {
        return env_.failure("delete from " + std::string(table_name(table)), rc);
      }
    }
    return {};
  }

  Status erase_states_and_leases() {
    std::vector<std::uint64_t> numbers;
    for (const Ended& job : ended_) numbers.push_back(job.sequence);
    if (env_.entries(txn_, Table::state) != 0) {
      if (Status s = erase_numbers(Table::state, numbers); !s) return s;
    }
    numbers.clear();
    for (const Ended& job : ended_) {
      if (job.lease != 0) numbers.push_back(job.lease);
    }
    std::sort(numbers.begin(), numbers.end());
    return erase_numbers(Table::leases, numbers);
  }

  Status write_finished() {
    std::vector<const Ended*> filing;
    for (const Ended& job : ended_) {
      if (job.files) filing.push_back(&job);
    }
    std::sort(filing.begin(), filing.end(), [](const Ended* a, const Ended* b) { return a->id < b->id; });
    const auto finished = env_.cursor(txn_, Table::finished);
    if (!finished) return finished.error();
    std::string head;
    for (const Ended* job : filing) {
      head.clear();
      append_finished(head, kept(job->outcome), {});
      int rc = append(*finished, Table::finished, view(job->id), {head, kept(job->job)}, job->job_apart);
      if (rc == MDB_KEYEXIST) {
        if (Status s = erase_older(*finished, job->id); !s) return s;
        rc = append(*finished, Table::finished, view(job->id), {head, kept(job->job)}, job->job_apart);
      }
      if (rc != 0) return env_.failure("write " + record_name(Table::finished, view(job->id)), rc);
    }
    std::vector<ForgetKey> keys;
    for (const Ended* job : filing) keys.push_back(forget_key(job->forget_at, job->id));
    std::sort(keys.begin(), keys.end(), [](const ForgetKey& a, const ForgetKey& b) {
      return std::string_view(a.data(), a.size()) < std::string_view(b.data(), b.size());
    });
    const auto forget = env_.cursor(txn_, Table::forget);
    if (!forget) return forget.error();
    for (const ForgetKey& key : keys) {
      if (const int rc = append(*forget, Table::forget, {key.data(), key.size()}, {}); rc != 0) {
        return env_.failure("write forget", rc);
      }
    }
    return {};
  }

  // An earlier job of the same id was remembered longer than the one that came after it needed.
  Status erase_older(const Cursor& finished, const JobId& id) {
    MDB_val key = to_val(view(id));
    MDB_val value{};
    const int rc = ::mdb_cursor_get(finished.get(), &key, &value, MDB_SET_KEY);
    StoredFinished older;
    if (rc != 0 || !open_finished(view(id), to_view(value), false, older)) return env_.damaged(Table::finished, view(id));
    std::vector<ForgetEntry> entries{{older.end.outcome.forget_at, id}};
    return erase_finished(entries);
  }

  // Calls `visit` for the entries of `forget` above `from`, in order, until it returns false.
  template <typename Visit>
  Status walk_forget(std::string_view from, Visit visit) {
    const auto cursor = env_.cursor(txn_, Table::forget);
    if (!cursor) return cursor.error();
    MDB_val key = to_val(from);
    MDB_val value{};
    int rc = ::mdb_cursor_get(cursor->get(), &key, &value, from.empty() ? MDB_FIRST : MDB_SET_RANGE);
    for (; rc == 0; rc = ::mdb_cursor_get(cursor->get(), &key, &value, MDB_NEXT)) {
      if (to_view(key) == from) continue;
      const auto entry = decode_forget_key(to_view(key));
      if (!entry || !open_record(Table::forget, to_view(key), to_view(value))) {
        return env_.damaged(Table::forget, to_view(key));
      }
      if (!visit(*entry)) return {};
    }
    if (rc != MDB_NOTFOUND) return env_.failure("read forget", rc);
    return {};
  }

  Status erase_finished(std::vector<ForgetEntry>& entries) {
    if (entries.empty()) return {};
    const auto forget = env_.cursor(txn_, Table::forget);
    if (!forget) return forget.error();
    for (const ForgetEntry& entry : entries) {
      const ForgetKey key = forget_key(entry.forget_at, entry.id);
      if (const int rc = erase(*forget, {key.data(), key.size()}); rc != 0) return env_.failure("delete from forget", rc);
    }
    std::sort(entries.begin(), entries.end(), [](const ForgetEntry& a, const ForgetEntry& b) { return a.id < b.id; });
    const auto finished = env_.cursor(txn_, Table::finished);
    if (!finished) return finished.error();
    for (const ForgetEntry& entry : entries) {
      MDB_val key = to_val(view(entry.id));
      MDB_val value{};
      int rc = ::mdb_cursor_get(finished->get(), &key, &value, MDB_SET_KEY);
      StoredFinished job;
      if (rc != 0 || !open_finished(view(entry.id), to_view(value), false, job)) {
        return env_.damaged(Table::finished, view(entry.id));
      }
      uses_.remove(job.stored.shared_number);
      rc = ::mdb_cursor_del(finished->get(), 0);
      if (rc != 0) return env_.failure("delete from finished", rc);
    }
    return {};
  }

  // Rewrites a slice of records without their reports; goes on where the last call ended.
  Status strip_reports(bool& stripped) {
    std::vector<ForgetEntry> slice;
    if (Status s = walk_forget(store_.strip_from_,
                               [&](const ForgetEntry& entry) {
                                 slice.push_back(entry);
                                 return slice.size() < limits::kSweepSliceJobs;
                               });
        !s) {
      return s;
    }
    const auto cursor = env_.cursor(txn_, Table::finished);
    if (!cursor) return cursor.error();
    std::string payload;
    for (const ForgetEntry& entry : slice) {
      const ForgetKey done = forget_key(entry.forget_at, entry.id);
      store_.strip_from_.assign(done.data(), done.size());
      MDB_val key = to_val(view(entry.id));
      MDB_val value{};
      int rc = ::mdb_cursor_get(cursor->get(), &key, &value, MDB_SET_KEY);
      StoredFinished job;
      if (rc != 0 || !open_finished(view(entry.id), to_view(value), false, job)) {
        return env_.damaged(Table::finished, view(entry.id));
      }
      if (job.end.outcome.report.empty()) continue;
      std::string outcome(job.outcome_payload.substr(0, job.outcome_payload.size() - job.end.outcome.report.size()));
      payload.clear();
      append_finished(payload, outcome, job.job_payload);
      const std::size_t apart = job.job_payload.size() - checked_size(job.job_payload, job.stored);
      rc = put(*cursor, Table::finished, view(entry.id), {payload}, 0, apart);
      if (rc != 0) return env_.failure("write finished", rc);
      stripped = true;
    }
    if (!slice.empty()) stripped = true;  // the end of the table is not reached yet
    return {};
  }

  // Dooms up to a slice of the records that may go. Goes on where the last call ended, so that those that may not go yet
  // hide none behind them.
  Status doom_records(std::uint64_t excess, MaintainInfo& info) {
    const std::uint64_t each = bytes_each();
    const std::size_t most =
        std::min<std::uint64_t>({limits::kSweepSliceJobs, excess / each + 1,
                                 limits::kMaxDoomed - std::min(limits::kMaxDoomed, store_.doomed_.size())});
    if (most == 0) return {};
    std::size_t read = 0;
    std::size_t visited = 0;
    std::string last;
    Status failed;
    Status walked = walk_forget(store_.doom_from_, [&](const ForgetEntry& entry) {
      if (doomed_.size() == most || read == limits::kSweepSliceJobs || visited == 4 * limits::kSweepSliceJobs) return false;
      ++visited;
      const ForgetKey key = forget_key(entry.forget_at, entry.id);
      last.assign(key.data(), key.size());
      if (entry.forget_at <= now_ + limits::kDropGrace) return true;  // goes by itself as soon
      // An id remembers when it was made: most records within the window need not be read.
      if (now_ < time_of(entry.id) + store_.options_.dedup_window || store_.doomed_.contains(entry.id)) return true;
      ++read;
      bool may_go = false;
      failed = is_past_window(entry.id, may_go);
      if (may_go) doomed_.push_back(entry);
      return failed.ok();
    });
    if (!walked) return walked;
    if (!failed) return failed;
    const bool at_end = doomed_.size() < most && read < limits::kSweepSliceJobs && visited < 4 * limits::kSweepSliceJobs;
    store_.doom_from_ = at_end ? std::string() : last;
    info.forgotten_early += doomed_.size();
    info.more = info.more || (!doomed_.empty() && !at_end);
    return {};
  }

  Status is_past_window(const JobId& id, bool& past) {
    MDB_val key = to_val(view(id));
    MDB_val value{};
    const int rc = ::mdb_get(txn_.get(), env_.table(Table::finished), &key, &value);
    StoredFinished job;
    if (rc != 0 || !open_finished(view(id), to_view(value), false, job)) return env_.damaged(Table::finished, view(id));
    past = job.end.outcome.finished_at + store_.options_.dedup_window <= now_;
    return {};
  }

  LmdbStore& store_;
  const Env& env_;
  const Txn& txn_;
  const Wall now_;
  SharedUses uses_;
  std::string scratch_;
  std::vector<Ended> ended_;
  std::vector<UnsweptIndex::Change> filed_;
  std::vector<ForgetEntry> doomed_;  // newly, by this transaction
  bool deletes_doomed_ = false;
};

Status LmdbStore::sweep(Wall now, MaintainInfo& info) {
  const Wall forgets_up_to = forget_clock_.now();
  auto txn = env_->begin_write();
  if (!txn) return txn.error();
  Sweeper sweeper(*this, *txn, forgets_up_to);
  if (Status s = sweeper.file_ended(info); !s) return s;
  if (Status s = sweeper.forget_due(info); !s) return s;
  if (Status s = sweeper.delete_doomed(); !s) return s;
  if (Status s = sweeper.enforce_limit(info); !s) return s;
  if (Status s = sweeper.finish(); !s) return s;
  const auto first = sweeper.first_forget();
  if (!first) return first.error();
  unswept_count_ -= sweeper.ended();
  note_finished(*txn);
  if (const int rc = txn->commit(); rc != 0) return env_->failure("sync maintenance", rc);
  unswept_.filed(sweeper.filed());
  if (sweeper.deletes_doomed()) doomed_.done();
  doomed_.doom(sweeper.take_doomed());
  next_forget_ = *first;
  last_sweep_ = now;
  space_.note_commit(0);  // frees at least as much as it writes
  info.more = info.more || unswept_count_ >= limits::kSweepSliceJobs;
  sweep_again_ = info.more;
  return {};
}

Result<MaintainInfo> LmdbStore::maintain(Wall now) {
  MaintainInfo info;
  if (failed_) return *failed_;
  const bool waited = now < last_sweep_ || last_sweep_ + limits::kSweepInterval <= now;
  const Wall forgets_up_to = forget_clock_.advance(now);
  const bool forget_is_due = next_forget_ && *next_forget_ <= forgets_up_to;
  const bool over_limit = finished_bytes_ > options_.finished_limit;
  doomed_.advance(now);
  if (sweep_again_ || doomed_.is_due() || unswept_count_ >= limits::kSweepSliceJobs ||
      (waited && (unswept_count_ > 0 || forget_is_due || over_limit))) {
    if (Status s = sweep(now, info); !s) {
      failed_ = s.error();
      return s.error();
    }
  }
  if (space_.is_due(now)) {
    env_->drop_dead_readers();  // of a backup that was killed: nothing could be used again
    if (Status s = space_.allocate(now); !s) return s.error();
  }
  return info;
}

}  // namespace rota::store::lmdb

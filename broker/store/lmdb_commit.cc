#include <algorithm>
#include <map>

#include "broker/store/fields.h"
#include "broker/store/lmdb_store.h"
#include "broker/store/lmdb_uses.h"
#include "common/base/check.h"

namespace rota::store::lmdb {
namespace {

constexpr std::size_t kInlineShared = 96;  // smaller shared parts cost less in each body than as a record of their own

}  // namespace

// Writes one batch in one transaction. Order: shared parts, bodies, ends and revivals as staged, states, leases, numbers.
class LmdbStore::Committer {
 public:
  Committer(LmdbStore& store, const Txn& txn, StagedBatch& batch)
      : store_(store), env_(*store.env_), txn_(txn), batch_(batch), staged_(batch.buffers()), uses_(env_) {}

  Status write() {
    numbers_ = store_.numbers_;
    if (Status s = write_shared(); !s) return s;
    if (Status s = write_jobs(); !s) return s;
    if (Status s = write_ends(); !s) return s;
    if (Status s = write_states(); !s) return s;
    if (Status s = write_leases(); !s) return s;
    for (const StagedPause& pause : staged_.pauses) {
      if (Status s = write_pause(env_, txn_, pause.queue, pause.paused); !s) return s;
    }
    if (Status s = uses_.apply(txn_); !s) return s;
    numbers_.next_sequence = std::max(numbers_.next_sequence, batch_.highest_sequence() + 1);
    numbers_.next_dispatch = std::max(numbers_.next_dispatch, batch_.highest_dispatch() + 1);
    if (batch_.id_clock()) numbers_.id_clock = std::max(numbers_.id_clock, *batch_.id_clock());
    return write_numbers(env_, txn_, numbers_);
  }

  [[nodiscard]] const Numbers& numbers() const { return numbers_; }
  [[nodiscard]] const std::vector<UnsweptIndex::Change>& changes() const { return changes_; }
  [[nodiscard]] std::int64_t unswept_added() const { return unswept_added_; }
  [[nodiscard]] CommitInfo info() const { return info_; }

 private:
  Status add(const Cursor& cursor, Table table, std::string_view key, std::initializer_list<std::string_view> payload,
             std::size_t apart = 0) {
    const int rc = append(cursor, table, key, payload, apart);
    if (rc != 0) return env_.failure("write " + record_name(table, key), rc);
    for (const std::string_view piece : payload) info_.bytes += piece.size();
    info_.bytes += key.size() + kChecksumSize;
    return {};
  }

  Status remove(Table table, std::string_view key) {
    const auto cursor = env_.cursor(txn_, table);
    if (!cursor) return cursor.error();
    if (const int rc = erase(*cursor, key); rc != 0) return env_.failure("delete " + record_name(table, key), rc);
    return {};
  }

  [[nodiscard]] bool is_inline(const StagedShared& shared) const {
    return shared.uses < 2 || shared.payload.size <= kInlineShared;
  }

  Status write_shared() {
    shared_numbers_.assign(staged_.shared.size(), 0);
    const auto cursor = env_.cursor(txn_, Table::shared);
    if (!cursor) return cursor.error();
    for (std::size_t i = 0; i < staged_.shared.size(); ++i) {
      const StagedShared& shared = staged_.shared[i];
      if (is_inline(shared)) continue;
      shared_numbers_[i] = numbers_.next_shared++;
      const NumberKey key = number_key(shared_numbers_[i]);
      if (Status s = add(*cursor, Table::shared, view(key), {staged_.at(shared.payload)}); !s) return s;
      uses_.add(shared_numbers_[i], shared.uses);
    }
    return {};
  }

  Status write_jobs() {
    if (staged_.jobs.empty()) return {};
    const auto cursor = env_.cursor(txn_, Table::bodies);
    if (!cursor) return cursor.error();
    std::string head;
    for (const StagedJob& job : staged_.jobs) {
      if (job.dropped) continue;
      const StagedShared& shared = staged_.shared[job.shared];
      const bool is_in = is_inline(shared);
      head.clear();
      FieldWriter write(head);
      write.byte(static_cast<std::uint8_t>(job.flags | (is_in ? kSharedInline : 0U)));
      write.varint(is_in ? shared.payload.size : shared_numbers_[job.shared]);
      const NumberKey key = number_key(job.sequence);
      const std::string_view part = is_in ? staged_.at(shared.payload) : std::string_view();
      const std::size_t apart = (job.flags & kBodyHasChecksum) != 0 ? job.body_size : 0;
      if (Status s = add(*cursor, Table::bodies, view(key), {head, part, staged_.at(job.fields)}, apart); !s) return s;
      ++info_.jobs;
    }
    return {};
  }

  Status write_ends() {
    if (staged_.ends.empty()) return {};
    const auto outcomes = env_.cursor(txn_, Table::outcomes);
    if (!outcomes) return outcomes.error();
    changes_.reserve(staged_.ends.size());
    for (std::size_t i = 0; i < staged_.ends.size(); ++i) {
      const StagedEnd& end = staged_.ends[i];
      Status s;
      switch (end.kind) {
        case StagedEnd::Kind::outcome: {
          const NumberKey key = number_key(numbers_.next_finish);
          s = add(*outcomes, Table::outcomes, view(key), {staged_.at(end.payload)});
          changes_.push_back({end.id, numbers_.next_finish++});
          ++unswept_added_;
          break;
        }
        case StagedEnd::Kind::deletion:
          s = write_tombstone(*outcomes, end);
          break;
        case StagedEnd::Kind::forget:
          s = forget_run(*outcomes, i);
          break;
        case StagedEnd::Kind::revive:
          s = revive(end);
          break;
      }
      if (!s) return s;
    }
    return {};
  }

  Status write_tombstone(const Cursor& outcomes, const StagedEnd& end) {
    std::string payload;
    append_tombstone(payload, end.sequence, end.lease);
    const NumberKey key = number_key(numbers_.next_finish++);
    ++unswept_added_;
    return add(outcomes, Table::outcomes, view(key), {payload});
  }

  // Where the unswept outcome of `id` is, this batch included; 0: nowhere.
  std::uint64_t place_of(const JobId& id) {
    for (; changes_indexed_ < changes_.size(); ++changes_indexed_) {
      local_[changes_[changes_indexed_].id] = changes_[changes_indexed_].finish;
    }
    const auto it = local_.find(id);
    return it != local_.end() ? it->second : store_.unswept_.find(id).value_or(0);
  }

  // The finished job `id` whose sequence was `sequence` (0: any), with all its records, is deleted. Leaves the payload of
  // its body in `job_payload`. False: there is no such finished job.
  Result<bool> take_finished(const JobId& id, queue::Sequence sequence, std::string& job_payload) {
    if (const std::uint64_t place = place_of(id); place != 0) {
      StoredJob stored;
      return take_unswept(id, place, sequence, true, stored, job_payload);
    }
    const auto finished = env_.cursor(txn_, Table::finished);
    if (!finished) return finished.error();
    StoredFinished job;
    auto found = find_filed(*finished, id, sequence, true, job);
    if (!found || !*found) return found;
    job_payload = job.job_payload;
    const ForgetKey forget = forget_key(job.end.outcome.forget_at, id);
    if (const int rc = ::mdb_cursor_del(finished->get(), 0); rc != 0) return env_.failure("delete from finished", rc);
    if (Status s = remove(Table::forget, {forget.data(), forget.size()}); !s) return s.error();
    return true;
  }

  // Moves `finished` to the record of `id`, if there is one of that sequence.
  Result<bool> find_filed(const Cursor& finished, const JobId& id, queue::Sequence sequence, bool with_body,
                          StoredFinished& job) const {
    MDB_val key = to_val(view(id));
    MDB_val value{};
    const int rc = ::mdb_cursor_get(finished.get(), &key, &value, MDB_SET_KEY);
    if (rc == MDB_NOTFOUND) return false;
    if (rc != 0) return env_.failure("read finished", rc);
    if (!open_finished(view(id), to_view(value), with_body, job)) return env_.damaged(Table::finished, view(id));
    return sequence == 0 || job.end.outcome.sequence == sequence;
  }

  Result<bool> take_unswept(const JobId& id, std::uint64_t place, queue::Sequence sequence, bool with_body,
                            StoredJob& stored, std::string& job_payload) {
    const NumberKey finish = number_key(place);
    const auto payload = get(env_, txn_, Table::outcomes, view(finish));
    if (!payload) return payload.error();
    StoredEnd end;
    if (!*payload || !decode_end(**payload, end) || end.outcome.id != id) {
      return env_.damaged(Table::outcomes, view(finish));
    }
    if (sequence != 0 && end.outcome.sequence != sequence) return false;
    const std::uint64_t lease = end.lease;
    const NumberKey body = number_key(end.outcome.sequence);
    MDB_val key = to_val(view(body));
    MDB_val value{};
    const int rc = ::mdb_get(txn_.get(), env_.table(Table::bodies), &key, &value);
    if (rc != 0 && rc != MDB_NOTFOUND) return env_.failure("read bodies", rc);
    if (rc != 0 || !open_job(view(body), to_view(value), with_body, stored)) return env_.damaged(Table::bodies, view(body));
    if (with_body) job_payload = to_view(value).substr(kChecksumSize);
    if (Status s = remove(Table::outcomes, view(finish)); !s) return s.error();
    if (Status s = remove(Table::bodies, view(body)); !s) return s.error();
    if (Status s = remove(Table::state, view(body)); !s) return s.error();
    if (lease != 0) {
      if (Status s = remove(Table::leases, view(number_key(lease))); !s) return s.error();
    }
    changes_.push_back({id, 0});
    --unswept_added_;
    return true;
  }

  // Carries out the run of `forget` ends that begins at `i`, and moves `i` to its last. In key order: a purge names
  // thousands of neighbours, which then lie on the page at hand.
  Status forget_run(const Cursor& outcomes, std::size_t& i) {
    std::vector<const StagedEnd*> run;
    for (; i < staged_.ends.size() && staged_.ends[i].kind == StagedEnd::Kind::forget; ++i) run.push_back(&staged_.ends[i]);
    --i;
    std::stable_sort(run.begin(), run.end(), [](const StagedEnd* a, const StagedEnd* b) { return a->id < b->id; });
    const auto finished = env_.cursor(txn_, Table::finished);
    if (!finished) return finished.error();
    std::vector<ForgetKey> keys;
    for (const StagedEnd* end : run) {
      const auto gone = forget(*finished, *end, keys);
      if (!gone) return gone.error();
      if (*gone) continue;
      if (Status s = write_tombstone(outcomes, *end); !s) return s;
    }
    std::sort(keys.begin(), keys.end(), [](const ForgetKey& a, const ForgetKey& b) {
      return std::string_view(a.data(), a.size()) < std::string_view(b.data(), b.size());
    });
    const auto cursor = env_.cursor(txn_, Table::forget);
    if (!cursor) return cursor.error();
    for (const ForgetKey& key : keys) {
      if (const int rc = erase(*cursor, {key.data(), key.size()}); rc != 0) return env_.failure("delete from forget", rc);
    }
    return {};
  }

  // Deletes a finished job; false if there is none of that id and sequence. Its entry of `forget` is left in `keys`.
  Result<bool> forget(const Cursor& finished, const StagedEnd& end, std::vector<ForgetKey>& keys) {
    if (const std::uint64_t place = place_of(end.id); place != 0) {
      StoredJob stored;
      std::string unused;
      auto taken = take_unswept(end.id, place, end.sequence, false, stored, unused);
      if (taken && *taken) uses_.remove(stored.shared_number);
      return taken;
    }
    StoredFinished job;
    auto found = find_filed(finished, end.id, end.sequence, false, job);
    if (!found || !*found) return found;
    uses_.remove(job.stored.shared_number);
    keys.push_back(forget_key(job.end.outcome.forget_at, end.id));
    if (const int rc = ::mdb_cursor_del(finished.get(), 0); rc != 0) return env_.failure("delete from finished", rc);
    return true;
  }

  Status revive(const StagedEnd& end) {
    std::string job_payload;
    const auto taken = take_finished(end.id, end.sequence, job_payload);
    if (!taken) return taken.error();
    if (!*taken) {
      return Error{Code::internal, env_.directory() + ": job " + to_string(end.id) +
                                       " was to be revived but is no finished job of the store"};
    }
    StoredJob stored;
    ROTA_CHECK(decode_job(job_payload, stored));
    const auto bodies = env_.cursor(txn_, Table::bodies);
    if (!bodies) return bodies.error();
    return add(*bodies, Table::bodies, view(number_key(end.new_sequence)), {job_payload},
               job_payload.size() - checked_size(job_payload, stored));
  }

  Status write_states() {
    if (staged_.states.empty()) return {};
    std::vector<queue::Sequence> ended;
    for (const StagedEnd& end : staged_.ends) ended.push_back(end.sequence);
    std::sort(ended.begin(), ended.end());
    std::stable_sort(staged_.states.begin(), staged_.states.end(),
                     [](const StagedState& a, const StagedState& b) { return a.sequence < b.sequence; });
    const auto cursor = env_.cursor(txn_, Table::state);
    if (!cursor) return cursor.error();
    for (std::size_t i = 0; i < staged_.states.size(); ++i) {
      const StagedState& state = staged_.states[i];
      const bool superseded = i + 1 < staged_.states.size() && staged_.states[i + 1].sequence == state.sequence;
      if (superseded || std::binary_search(ended.begin(), ended.end(), state.sequence)) continue;
      if (batch_.is_dropped(state.sequence)) continue;
      const NumberKey key = number_key(state.sequence);
      const int rc = put(*cursor, Table::state, view(key), {staged_.at(state.payload)}, 0);
      if (rc != 0) return env_.failure("write " + record_name(Table::state, view(key)), rc);
      info_.bytes += key.size() + kChecksumSize + state.payload.size;
    }
    return {};
  }

  Status write_leases() {
    batch_.merge_leases();
    if (staged_.leases.empty() && staged_.ended_leases.empty()) return {};
    const auto cursor = env_.cursor(txn_, Table::leases);
    if (!cursor) return cursor.error();
    std::sort(staged_.ended_leases.begin(), staged_.ended_leases.end());
    for (const std::uint64_t dispatch : staged_.ended_leases) {
      const NumberKey key = number_key(dispatch);
      if (const int rc = erase(*cursor, view(key)); rc != 0) {
        return env_.failure("delete " + record_name(Table::leases, view(key)), rc);
      }
    }
    std::string payload;
    for (const StagedLease& staged : staged_.leases) {
      if (staged.dropped) continue;
      payload.clear();
      append_lease(payload, staged.lease);
      const NumberKey key = number_key(staged.lease.token.dispatch);
      if (Status s = add(*cursor, Table::leases, view(key), {payload}); !s) return s;
    }
    return {};
  }

  LmdbStore& store_;
  const Env& env_;
  const Txn& txn_;
  StagedBatch& batch_;
  BatchBuffers& staged_;
  SharedUses uses_;
  Numbers numbers_;
  std::vector<std::uint64_t> shared_numbers_;
  std::vector<UnsweptIndex::Change> changes_;
  absl::flat_hash_map<JobId, std::uint64_t> local_;  // of changes_, built when a forget or revive needs it
  std::size_t changes_indexed_ = 0;
  std::int64_t unswept_added_ = 0;
  CommitInfo info_;
};

Result<CommitInfo> LmdbStore::commit(Batch& batch) {
  if (failed_) return *failed_;
  const auto fail = [this](const Error& error) -> Result<CommitInfo> {
    failed_ = error;
    return error;
  };
  auto& staged = dynamic_cast<StagedBatch&>(batch);
  if (unswept_count_ > limits::kMaxUnswept) {
    MaintainInfo ignored;
    if (Status swept = sweep(last_sweep_, ignored); !swept) return fail(swept.error());
  }
  auto txn = env_->begin_write();
  if (!txn) return fail(txn.error());
  Committer committer(*this, *txn, staged);
  if (Status written = committer.write(); !written) return fail(written.error());
  note_finished(*txn);
  if (const int rc = txn->commit(); rc != 0) return fail(env_->failure("sync a commit", rc));
  numbers_ = committer.numbers();
  unswept_count_ = static_cast<std::uint64_t>(static_cast<std::int64_t>(unswept_count_) + committer.unswept_added());
  unswept_.apply(committer.changes());
  if (doomed_.size() != 0) {
    std::vector<JobId> went_on;
    for (const StagedEnd& end : staged.buffers().ends) went_on.push_back(end.id);
    doomed_.spare(went_on);
  }
  space_.note_commit(committer.info().bytes);
  return committer.info();
}

}  // namespace rota::store::lmdb

#include <algorithm>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "broker/store/lmdb_store.h"

namespace rota::store::lmdb {

// Finds the live jobs: every body without an outcome, with its state and lease.
class LmdbStore::Loader {
 public:
  Loader(LmdbStore& store, const Txn& txn, LoadSink& sink)
      : store_(store), env_(*store.env_), txn_(txn), sink_(sink), shared_(env_, txn_) {}

  Status run() {
    if (Status s = read_ends(); !s) return s;
    if (Status s = read_leases(); !s) return s;
    if (Status s = read_states(); !s) return s;
    if (Status s = read_jobs(); !s) return s;
    return read_pauses(env_, txn_, [this](std::string_view queue) { sink_.paused_queue(queue); });
  }

  [[nodiscard]] std::uint64_t live_jobs() const { return live_jobs_; }
  [[nodiscard]] const Numbers& highest() const { return highest_; }  // one above every number found

 private:
  // Calls `visit(number, record)` for each record of `table`, whose keys are numbers. A scan that finds fewer records than
  // LMDB counts has lost a page, and jobs with it.
  template <typename Visit>
  Status scan(Table table, Visit visit) {
    const auto cursor = env_.cursor(txn_, table);
    if (!cursor) return cursor.error();
    std::uint64_t seen = 0;
    std::uint64_t last = 0;
    MDB_val key{};
    MDB_val value{};
    int rc = 0;
    while ((rc = ::mdb_cursor_get(cursor->get(), &key, &value, MDB_NEXT)) == 0) {
      const auto number = key_number(to_view(key));
      if (!number || *number <= last) return env_.damaged(table, to_view(key));
      last = *number;
      ++seen;
      if (Status s = visit(*number, to_view(key), to_view(value)); !s) return s;
    }
    if (rc != MDB_NOTFOUND) return env_.failure("read " + std::string(table_name(table)), rc);
    const std::uint64_t counted = env_.entries(txn_, table);
    if (seen == counted) return {};
    return Error{Code::internal, env_.directory() + ": table " + std::string(table_name(table)) + " has " +
                                     std::to_string(counted) + " records but only " + std::to_string(seen) +
                                     " can be found; restore the store from a backup"};
  }

  Status read_ends() {
    std::vector<UnsweptIndex::Change> places;
    Status s = scan(Table::outcomes, [&](std::uint64_t number, std::string_view key, std::string_view record) -> Status {
      const auto payload = open_record(Table::outcomes, key, record);
      StoredEnd end;
      if (!payload || !decode_end(*payload, end)) return env_.damaged(Table::outcomes, key);
      dead_.insert(end.outcome.sequence);
      if (end.kind == EndKind::outcome) places.push_back({end.outcome.id, number});
      highest_.next_finish = number + 1;
      ++store_.unswept_count_;
      return {};
    });
    store_.unswept_.apply(places);
    return s;
  }

  Status read_leases() {
    return scan(Table::leases, [&](std::uint64_t number, std::string_view key, std::string_view record) -> Status {
      const auto payload = open_record(Table::leases, key, record);
      queue::LeaseRecord lease;
      if (!payload || !decode_lease(*payload, lease)) return env_.damaged(Table::leases, key);
      lease.token.dispatch = number;
      highest_.next_dispatch = number + 1;
      // Rising numbers: the latest dispatch of a job stays.
      if (!dead_.contains(lease.sequence)) leases_[lease.sequence] = lease;
      return {};
    });
  }

  // Checks every state, and remembers nothing of them but their number: read_jobs() meets them again in the same order.
  Status read_states() {
    return scan(Table::state, [&](std::uint64_t, std::string_view key, std::string_view record) -> Status {
      queue::StateRecord state;
      const auto payload = open_record(Table::state, key, record);
      if (!payload || !decode_state(*payload, state)) return env_.damaged(Table::state, key);
      return {};
    });
  }

  // Moves `cursor` over `state` up to `sequence`; the state of that job if it has one.
  Result<const queue::StateRecord*> state_of(const Cursor& cursor, queue::Sequence sequence) {
    while (!states_ended_ && state_.sequence < sequence) {
      MDB_val key{};
      MDB_val value{};
      const int rc = ::mdb_cursor_get(cursor.get(), &key, &value, MDB_NEXT);
      states_ended_ = rc == MDB_NOTFOUND;
      if (states_ended_) break;
      if (rc != 0) return env_.failure("read state", rc);
      state_.sequence = key_number(to_view(key)).value_or(UINT64_MAX);
      if (!decode_state(to_view(value).substr(kChecksumSize), state_)) return env_.damaged(Table::state, to_view(key));
    }
    return !states_ended_ && state_.sequence == sequence ? &state_ : nullptr;
  }

  Status read_jobs() {
    const auto states = env_.cursor(txn_, Table::state);
    if (!states) return states.error();
    return scan(Table::bodies, [&](std::uint64_t sequence, std::string_view key, std::string_view record) -> Status {
      highest_.next_sequence = sequence + 1;
      if (dead_.contains(sequence)) return {};
      StoredJob stored;
      if (!open_job(key, record, false, stored)) return env_.damaged(Table::bodies, key);
      const auto shared = shared_.of(stored, Table::bodies, key);
      if (!shared) return shared.error();
      const auto state = state_of(*states, sequence);
      if (!state) return state.error();
      queue::LiveJob live{stored.job};
      live.job.sequence = sequence;
      live.job.shared = *shared;
      live.body_size = static_cast<std::uint32_t>(stored.job.body.size());
      live.job.body = {};
      live.state = *state;
      if (!leases_.empty()) {
        const auto lease = leases_.find(sequence);
        if (lease != leases_.end()) live.lease = &lease->second;
      }
      sink_.live_job(live);
      ++live_jobs_;
      return {};
    });
  }

  LmdbStore& store_;
  const Env& env_;
  const Txn& txn_;
  LoadSink& sink_;
  SharedReader shared_;
  absl::flat_hash_set<queue::Sequence> dead_;  // ended, not swept yet
  absl::flat_hash_map<queue::Sequence, queue::LeaseRecord> leases_;
  queue::StateRecord state_;  // where the cursor over `state` stands
  bool states_ended_ = false;
  Numbers highest_;
  std::uint64_t live_jobs_ = 0;
};

Result<Opened> LmdbStore::load(LoadSink& sink) {
  Opened opened;
  {
    auto txn = env_->begin_read();
    if (!txn) return txn.error();
    const auto broker = read_broker_id(*env_, *txn);
    if (!broker) return broker.error();
    const auto numbers = read_numbers(*env_, *txn);
    if (!numbers) return numbers.error();
    Loader loader(*this, *txn, sink);
    if (Status s = loader.run(); !s) return s.error();
    numbers_ = *numbers;
    numbers_.next_sequence = std::max(numbers_.next_sequence, loader.highest().next_sequence);
    numbers_.next_dispatch = std::max(numbers_.next_dispatch, loader.highest().next_dispatch);
    numbers_.next_finish = std::max(numbers_.next_finish, loader.highest().next_finish);
    opened.broker_id = *broker;
    opened.live_jobs = loader.live_jobs();
    note_finished(*txn);
  }
  ++numbers_.epoch;
  auto txn = env_->begin_write();
  if (!txn) return txn.error();
  if (Status s = write_numbers(*env_, *txn, numbers_); !s) return s.error();
  if (const int rc = txn->commit(); rc != 0) return env_->failure("raise the epoch", rc);
  if (Status s = space_.allocate({}); !s) return s.error();
  opened.epoch = numbers_.epoch;
  opened.next_sequence = numbers_.next_sequence;
  opened.next_dispatch = numbers_.next_dispatch;
  opened.id_clock = numbers_.id_clock;
  return opened;
}

}  // namespace rota::store::lmdb

#include "broker/store/lmdb_store.h"

#include <algorithm>
#include <numeric>

#include "broker/store/lmdb_finished.h"
#include "broker/store/meta_pages.h"
#include "broker/store/new_store.h"
#include "broker/store/page_walk.h"
#include "common/base/check.h"

namespace rota::store {

Result<std::unique_ptr<Store>> open_lmdb(const std::string& directory, const StoreOptions& options) {
  auto lock = DirectoryLock::take(directory);
  if (!lock) return lock.error();
  if (Status status = lmdb::check_lock_file(directory); !status) return status.error();
  const std::uint64_t least_map_size = 2 * options.store_limit;
  if (Status s = lmdb::make_store(directory, limits::kStoreMapSize, least_map_size); !s) return s.error();
  if (Status status = lmdb::check_meta_pages(directory); !status) return status.error();
  // LMDB trusts what it opens.
  const auto wrong = lmdb::walk_file(directory, 1);
  if (!wrong) return wrong.error();
  if (!wrong->empty()) {
    return Error{Code::internal, directory + " is damaged (" + wrong->front() + "); restore the store from a backup"};
  }
  auto env = lmdb::Env::open(directory, limits::kStoreMapSize, least_map_size);
  if (!env) return env.error();
  if (Status status = lmdb::prepare_tables(**env); !status) return status.error();
  return std::unique_ptr<Store>(
      std::make_unique<lmdb::LmdbStore>(std::move(lock).value(), std::move(env).value(), options));
}

namespace lmdb {

void UnsweptIndex::apply(const std::vector<Change>& changes) {
  const std::lock_guard lock(mutex_);
  for (const Change& change : changes) {
    if (change.finish == 0) {
      places_.erase(change.id);
    } else {
      places_[change.id] = change.finish;
    }
  }
}

void UnsweptIndex::filed(const std::vector<Change>& places) {
  const std::lock_guard lock(mutex_);
  for (const Change& place : places) {
    const auto it = places_.find(place.id);
    if (it != places_.end() && it->second == place.finish) places_.erase(it);
  }
}

std::optional<std::uint64_t> UnsweptIndex::find(const JobId& id) const {
  const std::lock_guard lock(mutex_);
  const auto it = places_.find(id);
  return it == places_.end() ? std::nullopt : std::optional(it->second);
}

void UnsweptIndex::find(std::span<const JobId> ids, std::vector<std::uint64_t>& places) const {
  const std::lock_guard lock(mutex_);
  for (const JobId& id : ids) {
    const auto it = places_.find(id);
    places.push_back(it == places_.end() ? 0 : it->second);
  }
}

std::vector<UnsweptIndex::Change> UnsweptIndex::newest(const JobId& below, std::size_t most) const {
  std::vector<Change> found;
  const std::lock_guard lock(mutex_);
  auto it = below.is_nil() ? places_.end() : places_.lower_bound(below);
  while (it != places_.begin() && found.size() < most) {
    --it;
    found.push_back({it->first, it->second});
  }
  return found;
}

std::size_t UnsweptIndex::size() const {
  const std::lock_guard lock(mutex_);
  return places_.size();
}

Result<const queue::SharedRecord*> SharedReader::of(const StoredJob& stored, Table table, std::string_view key) {
  if (stored.shared_number == 0) {
    // Neighbours mostly share; comparing a hundred bytes is cheaper than decoding them.
    if (last_inline_.data() != nullptr && last_inline_ == stored.shared) return &last_;
    if (!decode_shared(stored.shared, last_)) return env_.damaged(table, key);
    last_inline_ = stored.shared;
    return &last_;
  }
  const auto [it, fresh] = by_number_.try_emplace(stored.shared_number);
  if (fresh) {
    const NumberKey shared_key = number_key(stored.shared_number);
    const auto payload = get(env_, txn_, Table::shared, view(shared_key));
    if (!payload) return payload.error();
    if (!*payload || !decode_shared(**payload, it->second)) return env_.damaged(Table::shared, view(shared_key));
  }
  return &it->second;
}

bool open_job(std::string_view key, std::string_view record, bool with_body, StoredJob& stored) {
  if (record.size() < kChecksumSize) return false;
  const std::string_view payload = record.substr(kChecksumSize);
  if (!decode_job(payload, stored)) return false;
  if (!open_record(Table::bodies, key, record, checked_size(payload, stored))) return false;
  return !with_body || !stored.has_body_checksum || body_checksum(stored.job.id, stored.job.body) == stored.body_checksum;
}

bool open_finished(std::string_view key, std::string_view record, bool with_body, StoredFinished& finished) {
  if (record.size() < kChecksumSize) return false;
  const std::string_view payload = record.substr(kChecksumSize);
  if (!decode_finished(payload, finished)) return false;
  const StoredJob& stored = finished.stored;
  if (!open_record(Table::finished, key, record, checked_size(payload, stored))) return false;
  return !with_body || !stored.has_body_checksum || body_checksum(stored.job.id, stored.job.body) == stored.body_checksum;
}

LmdbStore::LmdbStore(DirectoryLock lock, std::unique_ptr<Env> env, const StoreOptions& options)
    : lock_(std::move(lock)), env_(std::move(env)), options_(options), space_(*env_, options.store_limit) {}

std::unique_ptr<Batch> LmdbStore::new_batch() { return std::make_unique<StagedBatch>(pool_, true); }

Status LmdbStore::bodies(std::span<const queue::Sequence> sequences, const BodySink& sink) {
  return read_bodies(sequences, true, sink);
}

Status LmdbStore::outlines(std::span<const queue::Sequence> sequences, const BodySink& sink) {
  return read_bodies(sequences, false, sink);
}

Status LmdbStore::read_bodies(std::span<const queue::Sequence> sequences, bool with_payload, const BodySink& sink) {
  auto txn = env_->begin_read();
  if (!txn) return txn.error();
  const auto cursor = env_->cursor(*txn, Table::bodies);
  if (!cursor) return cursor.error();
  SharedReader shared(*env_, *txn);
  const bool any_state = env_->entries(*txn, Table::state) != 0;
  // Rising order: neighbours lie on one page. Mostly given so.
  std::vector<std::size_t> order;
  if (!std::is_sorted(sequences.begin(), sequences.end())) {
    order.resize(sequences.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return sequences[a] < sequences[b]; });
  }
  for (std::size_t n = 0; n < sequences.size(); ++n) {
    const std::size_t i = order.empty() ? n : order[n];
    const NumberKey number = number_key(sequences[i]);
    MDB_val key = to_val(view(number));
    MDB_val value{};
    const int rc = ::mdb_cursor_get(cursor->get(), &key, &value, MDB_SET_KEY);
    if (rc == MDB_NOTFOUND) continue;
    if (rc != 0) return env_->failure("read " + record_name(Table::bodies, view(number)), rc);
    StoredJob stored;
    if (!open_job(view(number), to_view(value), with_payload, stored)) return env_->damaged(Table::bodies, view(number));
    if (!with_payload) stored.job.body = {};
    const auto part = shared.of(stored, Table::bodies, view(number));
    if (!part) return part.error();
    const queue::SharedRecord& record = **part;
    queue::StateRecord state;
    if (any_state) {
      const auto changed = get(*env_, *txn, Table::state, view(number));
      if (!changed) return changed.error();
      if (*changed && !decode_state(**changed, state)) return env_->damaged(Table::state, view(number));
    }
    sink(i, Batch::Body{record.queue, record.type, record.spec, stored.job.body, record.policy, state.report});
  }
  return {};
}

Status LmdbStore::find(std::span<const JobId> ids, const FinishedQuery& query,
                       const std::function<void(std::size_t, const queue::FinishedJob&)>& sink) {
  const DoomedJobs::Read reading(doomed_);
  std::vector<std::uint64_t> places;
  places.reserve(ids.size());
  unswept_.find(ids, places);  // before the transaction begins: see UnsweptIndex
  auto txn = env_->begin_read();
  if (!txn) return txn.error();
  FinishedReader reader(*env_, *txn, query.with_body);
  for (std::size_t i = 0; i < ids.size(); ++i) {
    if (doomed_.contains(ids[i])) continue;
    const auto found = reader.read(ids[i], places[i], [&](const queue::FinishedJob& job) { sink(i, job); });
    if (!found) return found.error();
  }
  return {};
}

Usage LmdbStore::usage() const {
  Usage usage;
  space_.fill(usage, pool_->staged_bytes.load(std::memory_order_relaxed));
  const std::size_t unswept = unswept_.size();
  const std::lock_guard lock(usage_mutex_);
  const std::uint64_t jobs = filed_jobs_ + unswept;
  usage.finished_jobs = jobs - std::min<std::uint64_t>(jobs, doomed_.size());
  usage.finished_bytes = finished_bytes_;
  return usage;
}

void LmdbStore::note_finished(const Txn& txn) {
  const std::uint64_t filed = env_->entries(txn, Table::finished);
  const std::uint64_t bytes = env_->table_bytes(txn, Table::finished) + env_->table_bytes(txn, Table::forget);
  const std::lock_guard lock(usage_mutex_);
  filed_jobs_ = filed;
  finished_bytes_ = bytes;
}

}  // namespace lmdb
}  // namespace rota::store

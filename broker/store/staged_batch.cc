#include "broker/store/staged_batch.h"

#include <algorithm>

#include "common/base/check.h"

namespace rota::store {
namespace {

// Buffers beyond these are released rather than kept for the next batch.
constexpr std::size_t kKeptArena = 16 * limits::MiB;
constexpr std::size_t kKeptBuffers = 3;  // one gathers, one is committed, one is spare

// Keys are nearly always staged in rising order; finds `key` from the end, stopping at once if it is above all or below.
template <typename Entries, typename KeyOf>
auto find_sorted(Entries& entries, std::uint64_t key, KeyOf key_of) -> decltype(entries.data()) {
  if (entries.empty() || key > key_of(entries.back()) || key < key_of(entries.front())) return nullptr;
  const auto it = std::lower_bound(entries.begin(), entries.end(), key,
                                   [&](const auto& entry, std::uint64_t wanted) { return key_of(entry) < wanted; });
  return it != entries.end() && key_of(*it) == key ? &*it : nullptr;
}

std::uint64_t sequence_of(const StagedJob& job) { return job.sequence; }
std::uint64_t dispatch_of(const StagedLease& lease) { return lease.lease.token.dispatch; }

}  // namespace

void BatchBuffers::clear() {
  arena.clear();
  shared.clear();
  jobs.clear();
  states.clear();
  leases.clear();
  late_leases.clear();
  ended_leases.clear();
  ends.clear();
  pauses.clear();
}

std::unique_ptr<BatchBuffers> BatchPool::take() {
  {
    const std::lock_guard lock(mutex_);
    if (!free_.empty()) {
      auto buffers = std::move(free_.back());
      free_.pop_back();
      return buffers;
    }
  }
  return std::make_unique<BatchBuffers>();
}

void BatchPool::give_back(std::unique_ptr<BatchBuffers> buffers) {
  if (buffers->arena.capacity() > kKeptArena) return;
  buffers->clear();
  const std::lock_guard lock(mutex_);
  if (free_.size() < kKeptBuffers) free_.push_back(std::move(buffers));
}

StagedBatch::StagedBatch(std::shared_ptr<BatchPool> pool, bool checksum_bodies)
    : pool_(std::move(pool)), buffers_(pool_->take()), checksum_bodies_(checksum_bodies) {}

StagedBatch::~StagedBatch() {
  reset();
  pool_->give_back(std::move(buffers_));
}

void StagedBatch::reset() {
  buffers_->clear();
  shared_by_hash_.clear();
  ends_by_id_.clear();
  ends_counted_ = 0;
  id_clock_.reset();
  highest_sequence_ = 0;
  highest_dispatch_ = 0;
  count_bytes();
}

void StagedBatch::stage(const queue::Change& change) {
  std::visit([this](const auto& body) { add(body); }, change.body);
  count_bytes();
}

void StagedBatch::count_bytes() {
  const std::size_t now = bytes();
  // Wraps as intended when the batch shrank.
  pool_->staged_bytes.fetch_add(now - counted_bytes_, std::memory_order_relaxed);
  counted_bytes_ = now;
}

void StagedBatch::note_id_clock(Wall id_clock) {
  if (!id_clock_ || *id_clock_ < id_clock) id_clock_ = id_clock;
}

bool StagedBatch::empty() const {
  return buffers_->jobs.empty() && buffers_->states.empty() && buffers_->leases.empty() && buffers_->late_leases.empty() &&
         buffers_->ended_leases.empty() && buffers_->ends.empty() && buffers_->pauses.empty();
}

std::size_t StagedBatch::bytes() const {
  return buffers_->arena.size() + buffers_->jobs.size() * sizeof(StagedJob) +
         buffers_->states.size() * sizeof(StagedState) +
         (buffers_->leases.size() + buffers_->late_leases.size()) * sizeof(StagedLease) +
         buffers_->ends.size() * sizeof(StagedEnd) + buffers_->shared.size() * sizeof(StagedShared);
}

std::optional<Batch::Body> StagedBatch::find(queue::Sequence sequence) const {
  const StagedJob* job = job_of(sequence);
  if (job == nullptr || job->dropped) return std::nullopt;
  const StagedShared& shared = buffers_->shared[job->shared];
  std::string_view body = buffers_->at(job->fields);
  body.remove_prefix(body.size() - job->body_size);
  return Body{buffers_->at(shared.queue), buffers_->at(shared.type), buffers_->at(shared.spec), body, shared.policy};
}

const StagedJob* StagedBatch::job_of(queue::Sequence sequence) const {
  return find_sorted(buffers_->jobs, sequence, sequence_of);
}

bool StagedBatch::is_dropped(queue::Sequence sequence) const {
  const StagedJob* job = job_of(sequence);
  return job != nullptr && job->dropped;
}

bool StagedBatch::is_shared(std::uint32_t index, const queue::SharedRecord& shared) const {
  const StagedShared& known = buffers_->shared[index];
  return buffers_->at(known.queue) == shared.queue && buffers_->at(known.type) == shared.type &&
         known.policy == shared.policy && buffers_->at(known.spec) == shared.spec;
}

std::uint32_t StagedBatch::shared_index(const queue::SharedRecord& shared) {
  // Compared by content: the record's address is free for another one as soon as stage() returns.
  auto& all = buffers_->shared;
  if (!all.empty() && is_shared(static_cast<std::uint32_t>(all.size() - 1), shared)) {
    return static_cast<std::uint32_t>(all.size() - 1);
  }
  const std::size_t offset = buffers_->arena.size();
  append_shared(buffers_->arena, shared);
  const Piece payload{offset, buffers_->arena.size() - offset};
  const std::uint64_t hash = record_checksum(Table::shared, {}, buffers_->at(payload));
  const auto [it, fresh] = shared_by_hash_.try_emplace(hash, static_cast<std::uint32_t>(all.size()));
  if (!fresh && buffers_->at(all[it->second].payload) == buffers_->at(payload)) {
    buffers_->arena.resize(offset);
    return it->second;
  }
  queue::SharedRecord parts;
  ROTA_CHECK(decode_shared(buffers_->at(payload), parts));
  all.push_back({payload, 0, buffers_->piece_of(parts.queue), buffers_->piece_of(parts.type),
                 buffers_->piece_of(parts.spec), parts.policy});
  return static_cast<std::uint32_t>(all.size() - 1);
}

void StagedBatch::add(const queue::JobAccepted& change) {
  const queue::JobRecord& job = change.job;
  ROTA_CHECK(job.sequence != 0 && job.shared != nullptr);
  ROTA_CHECK(buffers_->jobs.empty() || buffers_->jobs.back().sequence < job.sequence);
  StagedJob staged;
  staged.sequence = job.sequence;
  staged.id = job.id;
  staged.shared = shared_index(*job.shared);
  staged.body_size = static_cast<std::uint32_t>(job.body.size());
  staged.fields.offset = buffers_->arena.size();
  staged.flags = append_job(buffers_->arena, job, checksum_bodies_);
  staged.fields.size = buffers_->arena.size() - staged.fields.offset;
  ++buffers_->shared[staged.shared].uses;
  buffers_->jobs.push_back(staged);
  highest_sequence_ = std::max(highest_sequence_, job.sequence);
}

void StagedBatch::add_state(const queue::StateRecord& state) {
  const std::size_t offset = buffers_->arena.size();
  append_state(buffers_->arena, state);
  buffers_->states.push_back({state.sequence, {offset, buffers_->arena.size() - offset}});
}

void StagedBatch::add(const queue::JobChanged& change) { add_state(change.state); }

void StagedBatch::add(const queue::JobLeased& change) {
  const std::uint64_t dispatch = change.lease.token.dispatch;
  ROTA_CHECK(dispatch != 0);
  // New dispatches rise; a re-attached one comes again under its old number, anywhere before them.
  const StagedLease staged{change.lease, false};
  if (buffers_->leases.empty() || dispatch > dispatch_of(buffers_->leases.back())) {
    buffers_->leases.push_back(staged);
  } else if (StagedLease* known = lease_of(dispatch); known != nullptr) {
    *known = staged;
  } else {
    buffers_->late_leases.emplace(dispatch, staged);
  }
  highest_dispatch_ = std::max(highest_dispatch_, dispatch);
}

StagedLease* StagedBatch::lease_of(std::uint64_t dispatch) {
  if (StagedLease* staged = find_sorted(buffers_->leases, dispatch, dispatch_of); staged != nullptr) return staged;
  const auto late = buffers_->late_leases.find(dispatch);
  return late == buffers_->late_leases.end() ? nullptr : &late->second;
}

void StagedBatch::merge_leases() {
  auto& leases = buffers_->leases;
  const auto middle = static_cast<std::ptrdiff_t>(leases.size());
  for (const auto& [dispatch, late] : buffers_->late_leases) leases.push_back(late);
  buffers_->late_leases.clear();
  std::inplace_merge(leases.begin(), leases.begin() + middle, leases.end(),
                     [](const StagedLease& a, const StagedLease& b) { return dispatch_of(a) < dispatch_of(b); });
}

std::uint64_t StagedBatch::end_lease(Token token) {
  if (token.is_none()) return 0;
  StagedLease* staged = lease_of(token.dispatch);
  if (staged == nullptr) return token.dispatch;
  staged->dropped = true;
  return 0;
}

void StagedBatch::add(const queue::LeaseEnded& change) {
  const std::uint64_t stored = end_lease(change.token);
  if (stored != 0) buffers_->ended_leases.push_back(stored);
}

void StagedBatch::add(const queue::JobFinished& change) {
  StagedEnd end;
  end.kind = StagedEnd::Kind::outcome;
  end.id = change.outcome.id;
  end.sequence = change.outcome.sequence;
  end.lease = end_lease(change.lease);
  end.forget_at = change.outcome.forget_at;
  end.payload.offset = buffers_->arena.size();
  append_outcome(buffers_->arena, change.outcome, end.lease);
  end.payload.size = buffers_->arena.size() - end.payload.offset;
  buffers_->ends.push_back(end);
}

void StagedBatch::add(const queue::JobRevived& change) {
  StagedEnd end;
  end.kind = StagedEnd::Kind::revive;
  end.id = change.id;
  end.sequence = change.old_sequence;
  end.new_sequence = change.state.sequence;
  buffers_->ends.push_back(end);
  add_state(change.state);
  highest_sequence_ = std::max(highest_sequence_, change.state.sequence);
}

std::uint32_t& StagedBatch::ends_of(const JobId& id) {
  for (; ends_counted_ < buffers_->ends.size(); ++ends_counted_) ++ends_by_id_[buffers_->ends[ends_counted_].id];
  return ends_by_id_[id];
}

void StagedBatch::add(const queue::JobForgotten& change) {
  const std::uint64_t stored_lease = end_lease(change.lease);
  auto& ends = buffers_->ends;
  const bool just_ended =
      !ends.empty() && ends.back().kind == StagedEnd::Kind::outcome && ends.back().sequence == change.sequence;
  StagedJob* job = find_sorted(buffers_->jobs, change.sequence, sequence_of);
  // Never acknowledged, if nothing else ended it before: as if it had not been.
  if (job != nullptr && !job->dropped && ends_of(change.id) == (just_ended ? 1U : 0U)) {
    job->dropped = true;
    --buffers_->shared[job->shared].uses;
    if (just_ended) {
      --ends_of(change.id);
      ends.pop_back();
      ends_counted_ = ends.size();
    }
    return;
  }
  if (just_ended) {
    ends.back().kind = StagedEnd::Kind::deletion;
    if (ends.back().lease == 0) ends.back().lease = stored_lease;
    return;
  }
  StagedEnd end;
  end.kind = StagedEnd::Kind::forget;
  end.id = change.id;
  end.sequence = change.sequence;
  end.lease = stored_lease;
  ends.push_back(end);
}

void StagedBatch::add(const queue::QueuePaused& change) {
  buffers_->pauses.push_back({std::string(change.queue), change.paused});
}

}  // namespace rota::store

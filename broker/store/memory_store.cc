#include <algorithm>
#include <deque>
#include <mutex>
#include <shared_mutex>

#include "absl/container/btree_map.h"
#include "absl/container/btree_set.h"
#include "absl/container/flat_hash_map.h"
#include "broker/store/grace.h"
#include "broker/store/staged_batch.h"
#include "broker/store/store.h"
#include "common/base/check.h"
#include "common/base/units.h"

namespace rota::store {
namespace {

// What a job costs beside its bytes: its object, and its entries in the tables below.
constexpr std::uint64_t kJobOverhead = 240;

// A job, encoded as it was staged. `outcome` and what follows is of finished ones.
struct KeptJob {
  std::shared_ptr<const std::string> shared;
  std::string fields;
  JobId id;
  std::uint8_t flags = 0;
  std::string report;  // of the last attempt of a live job
  std::string outcome;
  Wall forget_at;
  std::uint64_t number = 0;  // order of ending

  [[nodiscard]] std::uint64_t bytes() const { return fields.size() + report.size() + outcome.size() + kJobOverhead; }
};
using KeptJobPtr = std::unique_ptr<KeptJob>;

class MemoryStore final : public Store {
 public:
  MemoryStore(const StoreOptions& options, std::uint64_t memory_limit)
      : options_(options), memory_limit_(memory_limit), broker_id_(random_uuid()) {}

  Result<Opened> load(LoadSink&) override {
    Opened opened;
    opened.broker_id = broker_id_;
    return opened;
  }

  std::unique_ptr<Batch> new_batch() override { return std::make_unique<StagedBatch>(pool_, false); }

  Result<CommitInfo> commit(Batch& batch) override {
    auto& staged = dynamic_cast<StagedBatch&>(batch);
    const BatchBuffers& buffers = staged.buffers();
    CommitInfo info;
    info.bytes = buffers.arena.size();
    const std::unique_lock lock(mutex_);
    add_jobs(buffers, info);
    for (const StagedEnd& end : buffers.ends) apply(end, buffers);
    for (const StagedState& state : buffers.states) keep_report(state.sequence, buffers.at(state.payload));
    drop_oldest([this] { return live_bytes_ + finished_bytes_ > memory_limit_; });
    return info;
  }

  Status bodies(std::span<const queue::Sequence> sequences,
                const std::function<void(std::size_t, const Batch::Body&)>& sink) override {
    const std::shared_lock lock(mutex_);
    for (std::size_t i = 0; i < sequences.size(); ++i) {
      const auto it = live_.find(sequences[i]);
      if (it == live_.end()) continue;
      StoredJob stored;
      queue::SharedRecord shared;
      decode(*it->second, stored, shared);
      sink(i, Batch::Body{shared.queue, shared.type, shared.spec, stored.job.body, shared.policy, it->second->report});
    }
    return {};
  }

  Status find(std::span<const JobId> ids, const FinishedQuery& query,
              const std::function<void(std::size_t, const queue::FinishedJob&)>& sink) override {
    const std::shared_lock lock(mutex_);
    for (std::size_t i = 0; i < ids.size(); ++i) {
      const auto it = finished_.find(ids[i]);
      if (it == finished_.end()) continue;
      hold(ids[i]);
      give(*it->second, query.with_body, [&](const queue::FinishedJob& job) { sink(i, job); });
    }
    return {};
  }

  Result<ListPage> list(const ListQuery& query, const std::function<void(const queue::FinishedJob&)>& sink) override {
    const std::shared_lock lock(mutex_);
    ListPage page;
    std::size_t given = 0;
    auto it = query.below.is_nil() ? finished_.end() : finished_.lower_bound(query.below);
    while (it != finished_.begin()) {
      --it;
      if (time_of(it->first) < query.since) break;
      if (given == std::max<std::size_t>(query.most, 1) || page.visited == std::max<std::size_t>(query.visits, 1)) {
        page.more = true;
        break;
      }
      ++page.visited;
      page.reached = it->first;
      if (!matches(*it->second, query)) continue;
      hold(it->first);
      give(*it->second, query.with_body, sink);
      ++given;
    }
    return page;
  }

  Result<MaintainInfo> maintain(Wall now) override {
    MaintainInfo info;
    const std::unique_lock lock(mutex_);
    while (!by_forget_.empty() && by_forget_.begin()->first <= now) {
      if (info.forgotten == limits::kSliceRecords) {
        info.more = true;
        break;
      }
      take_finished(by_forget_.begin()->second);
      ++info.forgotten;
    }
    advance_grace(now);
    drop_oldest([this] { return finished_bytes_ > options_.finished_limit; });
    info.forgotten_early = dropped_;
    dropped_ = 0;
    return info;
  }

  Usage usage() const override {
    const std::shared_lock lock(mutex_);
    Usage usage;
    usage.file_bytes = 0;
    usage.used_bytes = live_bytes_ + finished_bytes_;
    usage.finished_bytes = finished_bytes_;
    usage.finished_jobs = finished_.size();
    const std::uint64_t live = live_bytes_ + pool_->staged_bytes.load(std::memory_order_relaxed);
    usage.limit_bytes = memory_limit_;
    usage.free_bytes = memory_limit_ - std::min(live, memory_limit_);
    usage.accepts_submits = live < memory_limit_;
    if (!usage.accepts_submits) {
      usage.why_not = "jobs held in memory take " + format_size(live) + " of --memory-limit " + format_size(memory_limit_) +
                      "; new ones are taken again when some have ended";
    }
    return usage;
  }

 private:
  static void decode(const KeptJob& kept, StoredJob& stored, queue::SharedRecord& shared) {
    ROTA_CHECK(decode_job_fields(kept.fields, kept.flags, stored));
    ROTA_CHECK(decode_shared(*kept.shared, shared));
  }

  static bool matches(const KeptJob& kept, const ListQuery& query) {
    const auto state = peek_end_state(kept.outcome);
    ROTA_CHECK(state.has_value());
    if ((query.states & state_bit(*state)) == 0) return false;
    if (query.queue.empty() && query.type.empty()) return true;
    queue::SharedRecord shared;
    ROTA_CHECK(decode_shared(*kept.shared, shared));
    return (query.queue.empty() || shared.queue == query.queue) && (query.type.empty() || shared.type == query.type);
  }

  // Hands a finished job to `sink`.
  static void give(const KeptJob& kept, bool with_body, const std::function<void(const queue::FinishedJob&)>& sink) {
    StoredJob stored;
    StoredEnd end;
    queue::SharedRecord shared;
    decode(kept, stored, shared);
    ROTA_CHECK(decode_end(kept.outcome, end));
    queue::FinishedJob job;
    job.job = stored.job;
    job.outcome = end.outcome;
    job.body_size = static_cast<std::uint32_t>(stored.job.body.size());
    job.job.sequence = end.outcome.sequence;
    job.job.shared = &shared;
    if (!with_body) job.job.body = {};
    sink(job);
  }

  void add_jobs(const BatchBuffers& buffers, CommitInfo& info) {
    std::vector<std::shared_ptr<const std::string>> shared(buffers.shared.size());
    for (const StagedJob& job : buffers.jobs) {
      if (job.dropped) continue;
      auto& part = shared[job.shared];
      if (part == nullptr) part = kept_shared(buffers.at(buffers.shared[job.shared].payload));
      auto kept = std::make_unique<KeptJob>();
      kept->shared = part;
      kept->fields = buffers.at(job.fields);
      kept->id = job.id;
      kept->flags = job.flags;
      live_bytes_ += kept->bytes();
      const std::size_t before = live_.size();
      live_.try_emplace(live_.end(), job.sequence, std::move(kept));
      ROTA_CHECK(live_.size() == before + 1);
      ++info.jobs;
    }
  }

  // Batches mostly bring the same shared part again and again.
  std::shared_ptr<const std::string> kept_shared(std::string_view payload) {
    if (last_shared_ == nullptr || *last_shared_ != payload) last_shared_ = std::make_shared<const std::string>(payload);
    return last_shared_;
  }

  void apply(const StagedEnd& end, const BatchBuffers& buffers) {
    switch (end.kind) {
      case StagedEnd::Kind::outcome:
        return finish(end, buffers.at(end.payload));
      case StagedEnd::Kind::deletion:
        return erase_live(end.sequence);
      case StagedEnd::Kind::forget: {
        const auto it = finished_.find(end.id);
        if (it == finished_.end() || !is_of(*it->second, end.sequence)) return erase_live(end.sequence);
        take_finished(end.id);
        return;
      }
      case StagedEnd::Kind::revive: {
        const auto it = finished_.find(end.id);
        // What was read is held; but one that the core still knew by itself may have been dropped to make room.
        if (it == finished_.end()) return;
        KeptJobPtr job = take_finished(end.id);
        job->outcome = {};
        live_bytes_ += job->bytes();
        live_.try_emplace(end.new_sequence, std::move(job));
        return;
      }
    }
  }

  // Of a state only the report is ever asked for: the rest lives in the core, as long as this does.
  void keep_report(queue::Sequence sequence, std::string_view payload) {
    const auto live = live_.find(sequence);
    if (live == live_.end()) return;
    queue::StateRecord state;
    ROTA_CHECK(decode_state(payload, state));
    live_bytes_ -= live->second->bytes();
    live->second->report = state.report;
    live_bytes_ += live->second->bytes();
  }

  static bool is_of(const KeptJob& finished, queue::Sequence sequence) {
    StoredEnd end;
    ROTA_CHECK(decode_end(finished.outcome, end));
    return sequence == 0 || end.outcome.sequence == sequence;
  }

  void finish(const StagedEnd& end, std::string_view outcome) {
    const auto live = live_.find(end.sequence);
    if (live == live_.end()) return;
    // An earlier job of the same id was remembered longer than the one that came after it needed.
    if (finished_.contains(end.id)) take_finished(end.id);
    KeptJobPtr job = std::move(live->second);
    live_.erase(live);
    live_bytes_ -= job->bytes();
    job->report = {};
    job->outcome = outcome;
    job->forget_at = end.forget_at;
    job->number = next_end_++;
    finished_bytes_ += job->bytes();
    by_end_.emplace_back(job->number, end.id);
    // Both orders are those of time, nearly.
    by_forget_.emplace_hint(by_forget_.end(), end.forget_at, end.id);
    finished_.try_emplace(finished_.end(), end.id, std::move(job));
  }

  void erase_live(queue::Sequence sequence) {
    const auto it = live_.find(sequence);
    if (it == live_.end()) return;
    live_bytes_ -= it->second->bytes();
    live_.erase(it);
  }

  KeptJobPtr take_finished(const JobId& id) {
    const auto it = finished_.find(id);
    ROTA_CHECK(it != finished_.end());
    KeptJobPtr job = std::move(it->second);
    finished_.erase(it);
    finished_bytes_ -= job->bytes();
    by_forget_.erase({job->forget_at, id});
    trim_ends();
    return job;
  }

  // Entries of by_end_ whose job is gone, or ended again since, are skipped when they reach the front; the list never grows
  // beyond twice the finished jobs.
  [[nodiscard]] bool is_current(const std::pair<std::uint64_t, JobId>& entry) const {
    const auto it = finished_.find(entry.second);
    return it != finished_.end() && it->second->number == entry.first;
  }
  void trim_ends() {
    while (!by_end_.empty() && !is_current(by_end_.front())) by_end_.pop_front();
    if (by_end_.size() > 2 * finished_.size() + limits::kSliceRecords) {
      std::erase_if(by_end_, [this](const auto& entry) { return !is_current(entry); });
    }
  }

  // While `wanted`. Those that were just read stay: a retry that was decided on one must find it. They leave the list until
  // the hold ends, as whoever reads them all would otherwise make each commit pass them all.
  template <typename Wanted>
  void drop_oldest(Wanted wanted) {
    for (std::size_t held = 0; held < limits::kSliceRecords && wanted() && !by_end_.empty();) {
      const auto entry = by_end_.front();
      by_end_.pop_front();
      if (!is_current(entry)) continue;
      if (is_held(entry.second)) {
        set_aside_[entry.second] = entry.first;
        ++held;
        continue;
      }
      take_finished(entry.second);
      ++dropped_;
    }
  }

  // A job that somebody reads is not dropped before kDropGrace has passed.
  void hold(const JobId& id) {
    const std::lock_guard lock(held_mutex_);
    const Millis until = grace_.passed() + limits::kDropGrace;
    Millis& held = held_[id];
    if (held == until) return;
    held = until;
    held_in_order_.emplace_back(until, id);
  }
  [[nodiscard]] bool is_held(const JobId& id) const {
    const std::lock_guard lock(held_mutex_);
    return held_.contains(id);
  }
  void advance_grace(Wall now) {
    const std::lock_guard lock(held_mutex_);
    grace_.advance(now);
    while (!held_in_order_.empty() && held_in_order_.front().first <= grace_.passed()) {
      const auto [until, id] = held_in_order_.front();
      held_in_order_.pop_front();
      const auto it = held_.find(id);
      if (it == held_.end() || it->second != until) continue;  // read again since
      held_.erase(it);
      const auto aside = set_aside_.find(id);
      if (aside == set_aside_.end()) continue;
      by_end_.emplace_front(aside->second, id);
      set_aside_.erase(aside);
    }
  }

  const StoreOptions options_;
  const std::uint64_t memory_limit_;
  const Uuid broker_id_;
  std::shared_ptr<BatchPool> pool_ = std::make_shared<BatchPool>();

  mutable std::shared_mutex mutex_;
  // Trees, not hash tables: those stall while they grow, and these are filled in order.
  absl::btree_map<queue::Sequence, KeptJobPtr> live_;
  absl::btree_map<JobId, KeptJobPtr> finished_;
  std::deque<std::pair<std::uint64_t, JobId>> by_end_;
  absl::flat_hash_map<JobId, std::uint64_t> set_aside_;  // of by_end_, while they are held
  absl::btree_set<std::pair<Wall, JobId>> by_forget_;
  std::shared_ptr<const std::string> last_shared_;
  std::uint64_t live_bytes_ = 0;
  std::uint64_t finished_bytes_ = 0;
  std::uint64_t next_end_ = 1;
  std::uint64_t dropped_ = 0;  // since the last maintain()

  mutable std::mutex held_mutex_;  // taken last: readers share mutex_
  GraceClock grace_;
  absl::flat_hash_map<JobId, Millis> held_;
  std::deque<std::pair<Millis, JobId>> held_in_order_;
};

}  // namespace

std::unique_ptr<Store> make_memory(const StoreOptions& options, std::uint64_t memory_limit) {
  return std::make_unique<MemoryStore>(options, memory_limit);
}

}  // namespace rota::store

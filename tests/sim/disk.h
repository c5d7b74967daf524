#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "broker/store/grace.h"
#include "broker/store/store.h"

namespace rota::sim {

// A change with everything that it points to.
struct Staged {
  explicit Staged(const queue::Change& from);
  Staged(const Staged&) = delete;
  Staged& operator=(const Staged&) = delete;

  queue::Change change;
  queue::SharedRecord shared;
  std::string queue, type, spec, key, body, report;
};
using StagedChanges = std::vector<std::unique_ptr<Staged>>;

// What is durable: outlives the broker. Changes come batch by batch, whole or not at all.
class Disk {
 public:
  struct Job {
    queue::JobRecord record;
    queue::SharedRecord shared;
    std::string queue, type, spec, key, body;
    std::optional<queue::StateRecord> state;
    std::optional<queue::LeaseRecord> lease;
    std::optional<queue::OutcomeRecord> outcome;
    std::string state_report, outcome_report;
    Wall filed_at{};                     // finished: when maintenance saw it first
    std::optional<Millis> dropped_at{};  // by the limit, on the store's grace clock: hidden, and soon deleted
  };

  void apply(const StagedChanges& changes, std::optional<Wall> id_clock);
  [[nodiscard]] store::Opened open(store::LoadSink& sink);
  [[nodiscard]] const Job* live(queue::Sequence sequence) const;
  [[nodiscard]] const Job* finished(const JobId& id) const;
  [[nodiscard]] std::uint64_t forget_until(Wall now);
  // Keeps at most so many finished jobs: results go first, then those that ended longer ago than the window. They are
  // hidden for a grace before they go, as the real store does it: what was read of one may still be on its way to the core.
  [[nodiscard]] std::uint64_t forget_down_to(std::size_t most, Millis window, Wall now, Millis grace_clock);
  [[nodiscard]] const std::map<JobId, std::unique_ptr<Job>>& all_finished() const { return finished_; }
  [[nodiscard]] std::size_t finished_jobs() const { return finished_.size(); }

 private:
  Job& of(queue::Sequence sequence);
  void take(const Staged& staged);
  void take(const queue::JobAccepted& change, const Staged& staged);
  void take(const queue::JobChanged& change, const Staged& staged);
  void take(const queue::JobLeased& change, const Staged& staged);
  void take(const queue::LeaseEnded& change, const Staged& staged);
  void take(const queue::JobFinished& change, const Staged& staged);
  void take(const queue::JobRevived& change, const Staged& staged);
  void take(const queue::JobForgotten& change, const Staged& staged);
  void take(const queue::QueuePaused& change, const Staged& staged);

  std::map<queue::Sequence, std::unique_ptr<Job>> live_;
  std::map<JobId, std::unique_ptr<Job>> finished_;
  std::set<std::string> paused_;
  std::uint64_t epoch_ = 0;
  queue::Sequence last_sequence_ = 0;
  std::uint64_t last_dispatch_ = 0;
  Wall id_clock_;
};

class SimBatch final : public store::Batch {
 public:
  void stage(const queue::Change& change) override;
  void note_id_clock(Wall id_clock) override { id_clock_ = id_clock; }
  [[nodiscard]] bool empty() const override { return changes_.empty(); }
  [[nodiscard]] std::size_t bytes() const override { return changes_.size() * 100; }
  [[nodiscard]] std::optional<Body> find(queue::Sequence sequence) const override;

  [[nodiscard]] StagedChanges& changes() { return changes_; }
  [[nodiscard]] std::optional<Wall> id_clock() const { return id_clock_; }

 private:
  StagedChanges changes_;
  std::map<queue::Sequence, const Staged*> accepted_;
  std::optional<Wall> id_clock_;
};

// The store of one life of the broker, over the disk.
class SimStore final : public store::Store {
 public:
  struct Bounds {
    std::size_t finished = 0;        // finished jobs kept; 0: all
    std::size_t list_visits = 1000;  // records that one list() passes over
    Millis dedup_window{0};
    Millis forgets_ahead{0};  // a planted bug: outcomes go this long before their time
  };
  SimStore(Disk& disk, const Bounds& bounds) : disk_(disk), bounds_(bounds) {}

  Result<store::Opened> load(store::LoadSink& sink) override { return disk_.open(sink); }
  std::unique_ptr<store::Batch> new_batch() override { return std::make_unique<SimBatch>(); }
  Result<store::CommitInfo> commit(store::Batch& batch) override;
  Status bodies(std::span<const queue::Sequence> sequences,
                const std::function<void(std::size_t, const store::Batch::Body&)>& sink) override;
  Status find(std::span<const JobId> ids, const store::FinishedQuery& query,
              const std::function<void(std::size_t, const queue::FinishedJob&)>& sink) override;
  Result<store::ListPage> list(const store::ListQuery& query,
                               const std::function<void(const queue::FinishedJob&)>& sink) override;
  Result<store::MaintainInfo> maintain(Wall now) override;
  store::Usage usage() const override;

  void set_full(bool full) { full_ = full; }

 private:
  static void give(const Disk::Job& job, bool with_body, const std::function<void(const queue::FinishedJob&)>& sink);

  Disk& disk_;
  Bounds bounds_;
  store::GraceClock grace_;
  store::ForgetClock forget_clock_;
  bool full_ = false;
};

}  // namespace rota::sim

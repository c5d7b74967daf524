#include <benchmark/benchmark.h>

#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "bench/micro/instruction_counter.h"
#include "broker/store/store.h"

// What the store costs per job: batches of the argument's size in which as many jobs are accepted, handed out and finished
// as in a queue that runs evenly. With LMDB the time is that of the disk's syncs; the instructions are the store's own.
namespace {

using namespace rota;

constexpr Wall kStart{1'795'343'400'000};
constexpr int kMaintainEvery = 32;  // commits

class Nothing final : public store::LoadSink {
 public:
  void live_job(const queue::LiveJob& /*job*/) override {}
  void paused_queue(std::string_view /*queue*/) override {}
};

// A directory of its own, removed at the end.
class Directory {
 public:
  Directory() {
    std::string name = (std::filesystem::temp_directory_path() / "rota-bench-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) std::abort();
    path_ = name;
  }
  ~Directory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  Directory(const Directory&) = delete;
  Directory& operator=(const Directory&) = delete;
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  std::string path_;
};

// Stages the jobs of one commit: `jobs` are accepted and leased, those of the commit before finish.
class Stager {
 public:
  explicit Stager(std::size_t jobs) : jobs_(jobs), body_(100, 'x') { shared_ = {"default", "noop", {}, {}}; }

  void stage(store::Batch& batch) {
    const queue::Sequence first = next_;
    for (; next_ < first + jobs_; ++next_) {
      queue::JobRecord job;
      job.sequence = next_;
      job.id = id_of(next_);
      job.content_hash = next_ * 7919;
      job.created_at = job.run_at = now();
      job.shared = &shared_;
      job.body = body_;
      batch.stage({Durability::fsync, queue::JobAccepted{job}});
      queue::LeaseRecord lease;
      lease.token = {1, next_};
      lease.sequence = next_;
      lease.slots = 1;
      lease.leased_at = now();
      batch.stage({Durability::fsync, queue::JobLeased{lease}});
      if (next_ > jobs_) finish(batch, next_ - jobs_);
    }
  }
  [[nodiscard]] Wall now() const { return kStart + Millis{static_cast<std::int64_t>(next_ / 256)}; }

 private:
  [[nodiscard]] JobId id_of(queue::Sequence sequence) {
    Prng random(sequence);
    return make_job_id(kStart + Millis{static_cast<std::int64_t>(sequence / 256)}, slot_, random);
  }
  void finish(store::Batch& batch, queue::Sequence sequence) {
    queue::OutcomeRecord outcome;
    outcome.sequence = sequence;
    outcome.id = id_of(sequence);
    outcome.attempts = 1;
    outcome.consumed = {1, sequence};
    outcome.started_at = outcome.finished_at = now();
    outcome.forget_at = now() + limits::kDefaultKeep;
    outcome.report = report_;
    batch.stage({Durability::fsync, queue::JobFinished{outcome, outcome.consumed}});
  }

  std::size_t jobs_;
  std::string body_;
  std::string report_ = "a report of forty bytes or thereabouts..";
  queue::SharedRecord shared_;
  Slot slot_ = slot_of_queue("default");
  queue::Sequence next_ = 1;
};

// False: an error, which ends the benchmark.
bool commit_one(store::Store& store, Stager& stager, int number) {
  const std::unique_ptr<store::Batch> batch = store.new_batch();
  stager.stage(*batch);
  if (!store.commit(*batch).ok()) return false;
  return number % kMaintainEvery != 0 || store.maintain(stager.now()).ok();
}

void run(benchmark::State& state, store::Store& store) {
  Nothing nothing;
  if (!store.load(nothing).ok()) return state.SkipWithError("the store does not open");
  Stager stager(static_cast<std::size_t>(state.range(0)));
  const micro::InstructionCounter counter;
  counter.start();
  int commits = 0;
  for (auto _ : state) {
    if (commit_one(store, stager, ++commits)) continue;
    state.SkipWithError("a commit failed");
    break;
  }
  counter.report(state, state.iterations() * state.range(0));
  state.SetItemsProcessed(state.iterations() * state.range(0));
}

void BM_StoreCommitLmdb(benchmark::State& state) {
  const Directory directory;
  Result<std::unique_ptr<store::Store>> store = store::open_lmdb(directory.path(), {});
  if (!store) return state.SkipWithError("the store does not open");
  run(state, **store);
}

void BM_StoreCommitMemory(benchmark::State& state) {
  const std::unique_ptr<store::Store> store = store::make_memory({}, limits::kDefaultMemoryLimit);
  run(state, *store);
}

// Only the encoding of a batch, on the loop thread.
void BM_StoreStage(benchmark::State& state) {
  const Directory directory;
  Result<std::unique_ptr<store::Store>> store = store::open_lmdb(directory.path(), {});
  Nothing nothing;
  if (!store || !(*store)->load(nothing).ok()) return state.SkipWithError("the store does not open");
  Stager stager(static_cast<std::size_t>(state.range(0)));
  const micro::InstructionCounter counter;
  counter.start();
  for (auto _ : state) {
    const std::unique_ptr<store::Batch> batch = (*store)->new_batch();
    stager.stage(*batch);
    benchmark::DoNotOptimize(batch->bytes());
  }
  counter.report(state, state.iterations() * state.range(0));
  state.SetItemsProcessed(state.iterations() * state.range(0));
}

BENCHMARK(BM_StoreStage)->Arg(64)->Arg(512);
BENCHMARK(BM_StoreCommitMemory)->Arg(64)->Arg(512);
BENCHMARK(BM_StoreCommitLmdb)->Arg(1)->Arg(64)->Arg(512)->UseRealTime();

}  // namespace

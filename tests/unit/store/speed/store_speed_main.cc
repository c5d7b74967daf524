// Measures the stores: store_speed lifecycle|load|finished [lmdb|memory] [JOBS] [DIRECTORY]
//   lifecycle: accept, lease, finish and file JOBS jobs of 100 bytes, in commits of 64, 256 and 1024 jobs, sweeper included
//   load:      commit JOBS live jobs of 100 bytes, then open the store again
//   finished:  file JOBS finished jobs, list some, look for others that are not there, and forget them, 1,000 a commit from
//   the newest id down
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <string>

#include "broker/store/store.h"

namespace rota::store {
namespace {

struct Args {
  std::string what = "lifecycle";
  std::string engine = "lmdb";
  std::uint64_t jobs = 500'000;
  std::string directory = "/tmp/rota-store-speed";
};

// Anonymous memory of this process, KiB.
std::uint64_t anonymous_kib() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("RssAnon:")) return std::strtoull(line.c_str() + 8, nullptr, 10);
  }
  return 0;
}

double cpu_seconds() { return static_cast<double>(std::clock()) / CLOCKS_PER_SEC; }

std::unique_ptr<Store> make(const Args& args, bool fresh) {
  if (args.engine == "memory") return make_memory({}, 64 * limits::GiB);
  if (fresh) std::filesystem::remove_all(args.directory);
  auto store = open_lmdb(args.directory, {});
  if (!store) {
    std::fprintf(stderr, "%s\n", store.error().message.c_str());
    std::exit(1);
  }
  return std::move(store).value();
}

class Counting final : public LoadSink {
 public:
  std::uint64_t jobs = 0;
  void live_job(const queue::LiveJob&) override { ++jobs; }
  void paused_queue(std::string_view) override {}
};

struct Driver {
  Store& store;
  Wall wall = read_clocks().wall;
  Prng random{42};
  std::uint64_t sequence = 0;
  std::uint64_t dispatch = 0;
  std::uint64_t finished = 0;
  std::vector<JobId> ids{};
  std::string body = std::string(100, 'p');
  queue::SharedRecord shared{"default", "noop", {}, "spec"};
  std::uint64_t commits = 0, bytes = 0;
  std::int64_t worst_us = 0, stage_us = 0;

  void accept(Batch& batch) {
    queue::JobRecord job;
    job.sequence = ++sequence;
    job.id = make_job_id(wall + Millis{static_cast<std::int64_t>(sequence / 200)}, 0x656, random);
    job.created_at = job.run_at = wall;
    job.shared = &shared;
    job.body = body;
    ids.push_back(job.id);
    batch.stage({Durability::fsync, queue::JobAccepted{job}});
  }
  void lease(Batch& batch) {
    queue::LeaseRecord lease;
    lease.token = {1, ++dispatch};
    lease.sequence = dispatch;
    lease.slots = 8;
    lease.leased_at = wall;
    batch.stage({Durability::fsync, queue::JobLeased{lease}});
  }
  void finish(Batch& batch) {
    queue::OutcomeRecord outcome;
    outcome.sequence = ++finished;
    outcome.id = ids[finished - 1];
    outcome.attempts = 1;
    outcome.consumed = {1, finished};
    outcome.started_at = outcome.finished_at = wall;
    outcome.forget_at = wall + limits::kDefaultKeep;
    outcome.report = "a report of some forty bytes, as it may be";
    batch.stage({Durability::fsync, queue::JobFinished{outcome, {1, finished}}});
  }
  void commit(Batch& batch) {
    const std::int64_t before = monotonic_us();
    const auto info = store.commit(batch);
    if (!info) {
      std::fprintf(stderr, "%s\n", info.error().message.c_str());
      std::exit(1);
    }
    worst_us = std::max(worst_us, monotonic_us() - before);
    ++commits;
    bytes += info->bytes;
  }
};

void lifecycle(const Args& args) {
  for (const std::uint64_t size : {64U, 256U, 1024U}) {
    const auto store = make(args, true);
    Counting sink;
    if (!store->load(sink)) std::exit(1);
    Driver driver{*store};
    driver.ids.reserve(args.jobs);
    const double cpu = cpu_seconds();
    const std::int64_t start = monotonic_us();
    std::int64_t swept_us = 0;
    // As in a steady flow: each commit holds new jobs, the dispatch of those before, and the ends of those before these.
    while (driver.finished < args.jobs) {
      const std::int64_t before = monotonic_us();
      const auto batch = store->new_batch();
      const std::uint64_t leasable = driver.sequence;
      const std::uint64_t ending = driver.dispatch;
      for (std::uint64_t i = 0; i < size && driver.sequence < args.jobs; ++i) driver.accept(*batch);
      while (driver.dispatch < leasable) driver.lease(*batch);
      while (driver.finished < ending) driver.finish(*batch);
      driver.stage_us += monotonic_us() - before;
      driver.commit(*batch);
      const std::int64_t sweep = monotonic_us();
      if (!store->maintain(driver.wall + Millis{(sweep - start) / 1000})) std::exit(1);
      swept_us += monotonic_us() - sweep;
    }
    const std::int64_t took = monotonic_us() - start;
    const auto jobs = static_cast<double>(args.jobs);
    std::printf(
        "lifecycle %s: %4llu jobs a commit: %.0f jobs/s, CPU %.2f s per million, staging %.2f s, maintenance %.2f s of "
        "%.2f s, worst commit %.1f ms, %.0f bytes a job, file %.0f MB, anonymous %llu KiB\n",
        args.engine.c_str(), static_cast<unsigned long long>(size), jobs * 1e6 / static_cast<double>(took),
        (cpu_seconds() - cpu) * 1e6 / jobs, static_cast<double>(driver.stage_us) / 1e6, static_cast<double>(swept_us) / 1e6,
        static_cast<double>(took) / 1e6, static_cast<double>(driver.worst_us) / 1e3,
        static_cast<double>(driver.bytes) / jobs, static_cast<double>(store->usage().used_bytes) / 1e6,
        static_cast<unsigned long long>(anonymous_kib() - driver.ids.capacity() * sizeof(JobId) / 1024));
  }
}

void load(const Args& args) {
  const std::uint64_t before = anonymous_kib();
  {
    const auto store = make(args, true);
    Counting sink;
    if (!store->load(sink)) std::exit(1);
    Driver driver{*store};
    while (driver.sequence < args.jobs) {
      const auto batch = store->new_batch();
      for (int i = 0; i < 1024 && driver.sequence < args.jobs; ++i) driver.accept(*batch);
      driver.ids.clear();
      driver.commit(*batch);
      if (!store->maintain(driver.wall)) std::exit(1);
    }
    std::printf("fill: anonymous memory grew by %llu KiB for %llu jobs\n",
                static_cast<unsigned long long>(anonymous_kib() - before), static_cast<unsigned long long>(args.jobs));
  }
  const std::int64_t start = monotonic_us();
  const auto store = make(args, false);
  Counting sink;
  if (!store->load(sink)) std::exit(1);
  std::printf("load: %llu live jobs in %.3f s\n", static_cast<unsigned long long>(sink.jobs),
              static_cast<double>(monotonic_us() - start) / 1e6);
}

// JOBS finished and filed jobs.
void fill_finished(Driver& driver, std::uint64_t jobs) {
  while (driver.finished < jobs) {
    const auto batch = driver.store.new_batch();
    for (int i = 0; i < 1024 && driver.sequence < jobs; ++i) {
      driver.accept(*batch);
      driver.finish(*batch);
    }
    driver.commit(*batch);
    if (!driver.store.maintain(driver.wall)) std::exit(1);
  }
  for (int i = 0; i < 1000; ++i) {
    const auto done = driver.store.maintain(driver.wall + Millis{2000 * i});
    if (!done) std::exit(1);
    if (i > 0 && done->swept == 0) break;
  }
}

void time_list(Store& store, const char* what, const ListQuery& query) {
  std::int64_t best = INT64_MAX;
  std::size_t given = 0;
  ListPage page;
  for (int i = 0; i < 20; ++i) {
    given = 0;
    const std::int64_t before = monotonic_us();
    const auto listed = store.list(query, [&](const queue::FinishedJob&) { ++given; });
    best = std::min(best, monotonic_us() - before);
    if (!listed) std::exit(1);
    page = *listed;
  }
  std::printf("list, %s: %zu given of %zu looked at in %.2f ms\n", what, given, page.visited,
              static_cast<double>(best) / 1e3);
}

// Looks for ids that the store does not know, 1,000 at a time.
void time_absent(Store& store, const char* what, const std::vector<JobId>& ids) {
  std::int64_t best = INT64_MAX;
  for (int i = 0; i < 50; ++i) {
    const std::int64_t before = monotonic_us();
    if (!store.find(ids, {}, [](std::size_t, const queue::FinishedJob&) { std::exit(1); })) std::exit(1);
    best = std::min(best, monotonic_us() - before);
  }
  std::printf("find, %s: %zu absent ids in %.3f ms\n", what, ids.size(), static_cast<double>(best) / 1e3);
}

void time_absent(Driver& driver) {
  std::vector<JobId> fresh;
  std::vector<JobId> between;
  for (int i = 0; i < 1000; ++i) {
    fresh.push_back(make_job_id(driver.wall + Millis{3'600'000 + i}, 0x656, driver.random));
    JobId other = driver.ids[driver.random.next() % driver.ids.size()];
    other.bytes[15] ^= 0x55U;
    between.push_back(other);
  }
  time_absent(driver.store, "newer than all", fresh);
  time_absent(driver.store, "scattered among those known", between);
}

void forget_all(Driver& driver, const std::vector<JobId>& ids) {
  const std::int64_t start = monotonic_us();
  const double cpu = cpu_seconds();
  std::int64_t commits_us = 0;
  driver.worst_us = 0;
  std::uint64_t commits = 0;
  for (std::size_t left = ids.size(); left > 0;) {
    const auto batch = driver.store.new_batch();
    for (int i = 0; i < 1000 && left > 0; ++i, --left) {
      batch->stage({Durability::fsync, queue::JobForgotten{ids[left - 1], left, {}}});
    }
    const std::int64_t before = monotonic_us();
    driver.commit(*batch);
    commits_us += monotonic_us() - before;
    ++commits;
  }
  std::printf("forget: %zu jobs in %.2f s, %.2f ms a commit of 1,000, worst %.2f ms, CPU %.2f ms a commit\n", ids.size(),
              static_cast<double>(monotonic_us() - start) / 1e6,
              static_cast<double>(commits_us) / 1e3 / static_cast<double>(commits),
              static_cast<double>(driver.worst_us) / 1e3, (cpu_seconds() - cpu) * 1e3 / static_cast<double>(commits));
}

void finished(const Args& args) {
  const auto store = make(args, true);
  Counting sink;
  if (!store->load(sink)) std::exit(1);
  Driver driver{*store};
  fill_finished(driver, args.jobs);
  ListQuery query;
  time_list(*store, "first page", query);
  query.queue = "other";
  time_list(*store, "another queue", query);
  query = {};
  query.states = state_bit(JobState::failed);
  time_list(*store, "another state", query);
  query = {};
  query.most = 1000;
  query.below = driver.ids[driver.ids.size() / 2];
  time_list(*store, "1,000 from the middle", query);
  time_absent(driver);
  if (!std::is_sorted(driver.ids.begin(), driver.ids.end())) {
    // The sequence of a job is its place in `ids`.
    std::printf("ids of one millisecond are in random order, as from several clients\n");
  }
  forget_all(driver, driver.ids);
}

int run(int argc, char** argv) {
  Args args;
  if (argc > 1) args.what = argv[1];
  if (argc > 2) args.engine = argv[2];
  if (argc > 3) args.jobs = std::strtoull(argv[3], nullptr, 10);
  if (argc > 4) args.directory = argv[4];
  if (args.what == "load") {
    load(args);
  } else if (args.what == "finished") {
    finished(args);
  } else {
    lifecycle(args);
  }
  if (args.engine == "lmdb") std::filesystem::remove_all(args.directory);
  return 0;
}

}  // namespace
}  // namespace rota::store

int main(int argc, char** argv) { return rota::store::run(argc, argv); }

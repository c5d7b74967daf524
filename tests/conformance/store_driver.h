#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "broker/store/store.h"
#include "tests/conformance/store_changes.h"

// What every test of a store needs: a directory of its own, and what the store says as plain values.
namespace rota::store::test {

// A fresh directory, removed at the end.
class TempDir {
 public:
  TempDir() {
    std::string name = (std::filesystem::temp_directory_path() / "rota-store-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) std::abort();
    path_ = name;
  }
  ~TempDir() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  std::string path_;
};

struct Live {
  JobId id;
  std::string queue, type, key;
  std::int8_t priority = 0;
  std::uint64_t content_hash = 0;
  Wall created_at, run_at, expires_at;
  queue::Policy policy{};
  std::uint32_t body_size = 0;
  std::optional<queue::StateRecord> state;  // report emptied
  std::string report;
  std::optional<queue::LeaseRecord> lease;
};
class Loaded final : public LoadSink {
 public:
  std::map<queue::Sequence, Live> jobs;
  std::vector<std::string> paused;

  void live_job(const queue::LiveJob& job) override {
    Live live{job.job.id,
              std::string(job.job.shared->queue),
              std::string(job.job.shared->type),
              std::string(job.job.key),
              job.job.priority,
              job.job.content_hash,
              job.job.created_at,
              job.job.run_at,
              job.job.expires_at,
              job.job.shared->policy,
              job.body_size,
              {},
              {},
              {}};
    if (job.state != nullptr) {
      live.report = job.state->report;
      live.state = *job.state;
      live.state->report = {};
    }
    if (job.lease != nullptr) live.lease = *job.lease;
    const bool fresh = jobs.emplace(job.job.sequence, std::move(live)).second;
    EXPECT_TRUE(fresh) << "sequence " << job.job.sequence << " reported twice";
  }
  void paused_queue(std::string_view queue) override { paused.emplace_back(queue); }

  [[nodiscard]] std::vector<queue::Sequence> sequences() const {
    std::vector<queue::Sequence> all;
    for (const auto& [sequence, live] : jobs) all.push_back(sequence);
    return all;
  }
};

inline Result<CommitInfo> commit(Store& store, const Changes& changes) {
  const auto batch = store.new_batch();
  for (const queue::Change& change : changes.all()) batch->stage(change);
  return store.commit(*batch);
}
inline void must_commit(Store& store, const Changes& changes) {
  const auto done = commit(store, changes);
  ASSERT_TRUE(done.ok()) << done.error().message;
}

struct Body {
  std::string queue, type, spec, body;
  queue::Policy policy{};
};
inline std::optional<Body> body_of(Store& store, queue::Sequence sequence) {
  std::optional<Body> found;
  const Status status = store.bodies(std::span(&sequence, 1), [&](std::size_t, const Batch::Body& body) {
    found =
        Body{std::string(body.queue), std::string(body.type), std::string(body.spec), std::string(body.body), body.policy};
  });
  EXPECT_TRUE(status.ok()) << status.error().message;
  return found;
}

struct Finished {
  queue::Sequence sequence = 0;
  JobState state = JobState::succeeded;
  std::uint64_t content_hash = 0;
  Token consumed;
  Wall started_at, finished_at, forget_at;
  std::string queue, spec, body, report, key;
  std::uint32_t body_size = 0;
};
inline std::optional<Finished> finished(Store& store, std::uint64_t number, bool with_body = true) {
  std::optional<Finished> found;
  const JobId id = job_id(number);
  const Status status = store.find(std::span(&id, 1), {with_body}, [&](std::size_t, const queue::FinishedJob& job) {
    EXPECT_EQ(job.job.id, id);
    EXPECT_EQ(job.outcome.id, id);
    EXPECT_EQ(job.job.sequence, job.outcome.sequence);
    found = Finished{job.job.sequence,
                     job.outcome.state,
                     job.job.content_hash,
                     job.outcome.consumed,
                     job.outcome.started_at,
                     job.outcome.finished_at,
                     job.outcome.forget_at,
                     std::string(job.job.shared->queue),
                     std::string(job.job.shared->spec),
                     std::string(job.job.body),
                     std::string(job.outcome.report),
                     std::string(job.job.key),
                     job.body_size};
  });
  EXPECT_TRUE(status.ok()) << status.error().message;
  return found;
}

// Maintains until nothing is left to do at `now`.
inline MaintainInfo maintain_all(Store& store, Wall now) {
  MaintainInfo sum;
  for (int i = 0; i < 10'000; ++i) {
    const auto info = store.maintain(now);
    EXPECT_TRUE(info.ok()) << info.error().message;
    if (!info.ok()) break;
    sum.swept += info->swept;
    sum.forgotten += info->forgotten;
    sum.forgotten_early += info->forgotten_early;
    if (!info->more) break;
  }
  return sum;
}

// The same after a long time in which nobody called: a store forgets nothing for a grace then.
inline MaintainInfo maintain_after_pause(Store& store, Wall now) {
  MaintainInfo total;
  for (Wall at = now - limits::kDropGrace - Millis{1000}; at < now; at = at + limits::kDropGraceStep) {
    const MaintainInfo info = maintain_all(store, at);
    total.swept += info.swept;
    total.forgotten += info.forgotten;
    total.forgotten_early += info.forgotten_early;
  }
  const MaintainInfo info = maintain_all(store, now);
  total.swept += info.swept;
  total.forgotten += info.forgotten;
  total.forgotten_early += info.forgotten_early;
  return total;
}

// The same, from `begin` until whatever is dropped for a limit is deleted. How many must go is estimated from their share
// of the pages, so it may take several rounds. Returns when that is.
inline Wall maintain_through_grace(Store& store, Wall begin) {
  const Wall end = begin + 3 * (limits::kDropGrace + 2 * limits::kDropGraceStep);
  for (Wall now = begin; now <= end; now = now + limits::kDropGraceStep) maintain_all(store, now);
  return end;
}

inline std::unique_ptr<Store> open_store(const std::string& directory, const StoreOptions& options = {}) {
  auto store = open_lmdb(directory, options);
  EXPECT_TRUE(store.ok()) << store.error().message;
  return store.ok() ? std::move(store).value() : nullptr;
}

}  // namespace rota::store::test

#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "broker/store/store.h"

// What every test of a store needs: a directory of its own, changes in a line, and what the store says as plain values.
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

inline constexpr Wall kStart{1'780'000'000'000};

inline JobId job_id(std::uint64_t number) {
  JobId id;
  id.bytes[6] = 0x70;
  id.bytes[8] = 0x80;
  for (unsigned i = 0; i < 6; ++i) id.bytes[i] = static_cast<std::uint8_t>(number >> (40U - 8U * i));
  for (unsigned i = 0; i < 4; ++i) id.bytes[15 - i] = static_cast<std::uint8_t>(number >> (8U * i));
  return id;
}

struct Job {
  std::uint64_t number = 1;  // of the id; the sequence as well unless told
  queue::Sequence sequence = 0;
  std::string body = "body";
  std::string queue = "default";
  std::string type = "exec";
  std::string spec = "spec";
  std::string key{};
  queue::Policy policy{};
  std::int8_t priority = 0;
  [[nodiscard]] queue::Sequence at() const { return sequence != 0 ? sequence : number; }
};

// Changes with the strings that they view.
class Changes {
 public:
  Changes() = default;
  Changes(const Changes&) = delete;
  Changes& operator=(const Changes&) = delete;

  Changes& accept(const Job& job) {
    const Job& kept = jobs_.emplace_back(job);
    queue::SharedRecord& shared = shared_.emplace_back();
    shared = {kept.queue, kept.type, kept.policy, kept.spec};
    queue::JobRecord record;
    record.sequence = kept.at();
    record.id = job_id(kept.number);
    record.content_hash = kept.number * 7919;
    record.created_at = kStart + Millis{static_cast<std::int64_t>(kept.number)};
    record.run_at = record.created_at;
    record.priority = kept.priority;
    record.key = kept.key;
    record.shared = &shared;
    record.body = kept.body;
    return add(queue::JobAccepted{record});
  }
  Changes& change(const queue::StateRecord& state) { return add(queue::JobChanged{state}); }
  Changes& lease(queue::Sequence sequence, std::uint64_t dispatch, std::uint64_t epoch = 1) {
    queue::LeaseRecord lease;
    lease.token = {epoch, dispatch};
    lease.sequence = sequence;
    lease.session.bytes[3] = 77;
    lease.slots = 4;
    lease.leased_at = kStart + Millis{5};
    return add(queue::JobLeased{lease});
  }
  Changes& end_lease(queue::Sequence sequence, std::uint64_t dispatch) {
    return add(queue::LeaseEnded{{1, dispatch}, sequence});
  }
  Changes& finish(std::uint64_t number, std::uint64_t dispatch = 0, std::string_view report = "report",
                  Wall forget_at = kStart + limits::kDefaultKeep, queue::Sequence sequence = 0,
                  JobState state = JobState::succeeded) {
    queue::OutcomeRecord outcome;
    outcome.sequence = sequence != 0 ? sequence : number;
    outcome.id = job_id(number);
    outcome.state = state;
    outcome.attempts = 1;
    if (dispatch != 0) outcome.consumed = {1, dispatch};
    outcome.started_at = kStart + Millis{10};
    outcome.finished_at = kStart + Millis{20};
    outcome.forget_at = forget_at;
    outcome.report = texts_.emplace_back(report);
    return add(queue::JobFinished{outcome, dispatch != 0 ? Token{1, dispatch} : Token{}});
  }
  Changes& revive(std::uint64_t number, queue::Sequence old_sequence, queue::Sequence new_sequence) {
    queue::StateRecord state;
    state.sequence = new_sequence;
    state.attempts = 1;
    return add(queue::JobRevived{job_id(number), old_sequence, state});
  }
  Changes& forget(std::uint64_t number, queue::Sequence sequence = 0, std::uint64_t dispatch = 0) {
    return add(queue::JobForgotten{job_id(number), sequence != 0 ? sequence : number,
                                   dispatch != 0 ? Token{1, dispatch} : Token{}});
  }
  Changes& pause(std::string_view queue, bool paused) {
    return add(queue::QueuePaused{texts_.emplace_back(queue), paused});
  }
  [[nodiscard]] const std::vector<queue::Change>& all() const { return changes_; }

 private:
  Changes& add(queue::ChangeBody body) {
    changes_.push_back({Durability::fsync, std::move(body)});
    return *this;
  }
  std::deque<Job> jobs_;
  std::deque<queue::SharedRecord> shared_;
  std::deque<std::string> texts_;
  std::vector<queue::Change> changes_;
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
                     std::string(job.job.key)};
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

inline std::unique_ptr<Store> open_store(const std::string& directory, const StoreOptions& options = {}) {
  auto store = open_lmdb(directory, options);
  EXPECT_TRUE(store.ok()) << store.error().message;
  return store.ok() ? std::move(store).value() : nullptr;
}

}  // namespace rota::store::test

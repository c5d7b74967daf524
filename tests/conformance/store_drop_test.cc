#include "tests/conformance/each_engine.h"

// What --finished-limit drops, of every engine: never what somebody may still decide on.
namespace rota::store::test {
namespace {

constexpr std::uint64_t kJobs = 2000;

class StoreDrop : public EachEngine {
 protected:
  // A store over its limit, all of it past the dedup window, that has not been maintained since.
  void SetUp() override {
    StoreOptions options;
    options.finished_limit = 100 * limits::KiB;
    options.dedup_window = Millis{600'000};
    make(options);
    Changes changes;
    for (std::uint64_t n = 1; n <= kJobs; ++n) changes.accept(Job{.number = n});
    must_commit(*store_, changes);
    Changes ends;
    for (std::uint64_t n = 1; n <= kJobs; ++n) ends.finish(n, 0, {});
    must_commit(*store_, ends);
  }
  [[nodiscard]] std::size_t listed() const {
    std::size_t count = 0;
    ListQuery query;
    query.most = kJobs;
    EXPECT_TRUE(store_->list(query, [&](const queue::FinishedJob&) { ++count; }).ok());
    return count;
  }

  static constexpr Wall kPast = kStart + Millis{700'000};
};

TEST_P(StoreDrop, JobReadBeforeItIsDroppedCanBeRevived) {
  ASSERT_TRUE(finished(*store_, 1));
  maintain_all(*store_, kPast);
  must_commit(*store_, Changes().revive(1, 1, kJobs + 1));
  const auto body = body_of(*store_, kJobs + 1);
  ASSERT_TRUE(body);
  EXPECT_EQ(body->body, "body");
  // And is a job like any other from there on.
  const Wall later = maintain_through_grace(*store_, kPast);
  must_commit(*store_, Changes().finish(1, 0, "again", later + limits::kDefaultKeep, kJobs + 1));
  EXPECT_TRUE(finished(*store_, 1));
  EXPECT_FALSE(finished(*store_, 2));
}

TEST_P(StoreDrop, JobListedBeforeItIsDroppedCanBeRevived) {
  ListQuery query;
  query.below = job_id(3);
  query.most = 1;
  std::size_t count = 0;
  ASSERT_TRUE(store_->list(query, [&](const queue::FinishedJob&) { ++count; }).ok());
  ASSERT_EQ(count, 1U);
  maintain_all(*store_, kPast);
  must_commit(*store_, Changes().revive(2, 2, kJobs + 1));
  EXPECT_TRUE(body_of(*store_, kJobs + 1));
}

TEST_P(StoreDrop, AfterALongPauseThereIsStillAGrace) {
  ASSERT_TRUE(finished(*store_, 1));
  maintain_all(*store_, kPast);
  maintain_all(*store_, kPast + Millis{3'600'000});
  must_commit(*store_, Changes().revive(1, 1, kJobs + 1));
  EXPECT_TRUE(body_of(*store_, kJobs + 1));
}

TEST_P(StoreDrop, DroppedJobsAreNeitherFoundNorListedNorCounted) {
  const MaintainInfo info = maintain_all(*store_, kPast);
  ASSERT_GT(info.forgotten_early, 0U);
  const std::uint64_t left = kJobs - info.forgotten_early;
  EXPECT_FALSE(finished(*store_, 1));
  EXPECT_TRUE(finished(*store_, kJobs));
  EXPECT_EQ(listed(), left);
  EXPECT_EQ(store_->usage().finished_jobs, left);
  maintain_through_grace(*store_, kPast);
  EXPECT_FALSE(finished(*store_, 1));
  EXPECT_TRUE(finished(*store_, kJobs));
  EXPECT_EQ(listed(), store_->usage().finished_jobs);
  EXPECT_LE(store_->usage().finished_bytes, 100 * limits::KiB);
}

// Reading them all keeps them for a grace, not for good.
TEST_P(StoreDrop, JobsThatWereAllReadAreDroppedAfterTheGrace) {
  ASSERT_EQ(listed(), kJobs);
  maintain_all(*store_, kPast);
  maintain_through_grace(*store_, kPast + Millis{1});
  EXPECT_LE(store_->usage().finished_bytes, 100 * limits::KiB);
  EXPECT_TRUE(finished(*store_, kJobs));
  EXPECT_FALSE(finished(*store_, 1));
}

TEST_P(StoreDrop, DroppedJobMayBeForgottenMeanwhile) {
  maintain_all(*store_, kPast);
  must_commit(*store_, Changes().forget(1).forget(2));
  maintain_through_grace(*store_, kPast);
  EXPECT_FALSE(finished(*store_, 1));
  EXPECT_TRUE(finished(*store_, kJobs));
}

INSTANTIATE_TEST_SUITE_P(Engines, StoreDrop, testing::Values(Engine::lmdb, Engine::memory), engine_name);

}  // namespace
}  // namespace rota::store::test

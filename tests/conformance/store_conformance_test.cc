#include <atomic>
#include <thread>

#include "tests/conformance/each_engine.h"

// What every engine behind the Store interface does. Run against each.
namespace rota::store::test {
namespace {

class StoreConformance : public EachEngine {};

TEST_P(StoreConformance, EmptyStoreOpensWithTheFirstNumbers) {
  EXPECT_EQ(opened_.epoch, 1U);
  EXPECT_EQ(opened_.next_sequence, 1U);
  EXPECT_EQ(opened_.next_dispatch, 1U);
  EXPECT_EQ(opened_.live_jobs, 0U);
  EXPECT_FALSE(opened_.broker_id.is_nil());
  EXPECT_TRUE(store_->usage().accepts_submits) << store_->usage().why_not;
}

TEST_P(StoreConformance, CommittedBodyIsRead) {
  Job job;
  job.policy.retries = 7;
  job.policy.keep = Millis{-1};
  const auto info = commit(*store_, Changes().accept(job));
  ASSERT_TRUE(info.ok());
  EXPECT_EQ(info->jobs, 1U);
  EXPECT_GT(info->bytes, 0U);
  const auto body = body_of(*store_, 1);
  ASSERT_TRUE(body);
  EXPECT_EQ(body->queue, "default");
  EXPECT_EQ(body->type, "exec");
  EXPECT_EQ(body->spec, "spec");
  EXPECT_EQ(body->body, "body");
  EXPECT_EQ(body->policy, job.policy);
}

TEST_P(StoreConformance, StagedBodyIsFoundInItsBatchOnly) {
  const auto batch = store_->new_batch();
  EXPECT_TRUE(batch->empty());
  Changes changes;
  changes.accept(Job{.number = 5, .body = "staged"});
  for (const auto& change : changes.all()) batch->stage(change);
  EXPECT_FALSE(batch->empty());
  EXPECT_GT(batch->bytes(), 0U);
  const auto found = batch->find(5);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->body, "staged");
  EXPECT_EQ(found->queue, "default");
  EXPECT_EQ(found->spec, "spec");
  EXPECT_FALSE(batch->find(4));
  EXPECT_FALSE(batch->find(6));
  EXPECT_FALSE(body_of(*store_, 5));
  ASSERT_TRUE(store_->commit(*batch).ok());
  EXPECT_TRUE(body_of(*store_, 5));
}

TEST_P(StoreConformance, StageCopiesWhatItNeeds) {
  const auto batch = store_->new_batch();
  {
    Changes changes;
    changes.accept(Job{.number = 1, .body = std::string(5000, 'x')}).finish(1, 0, std::string(300, 'r'));
    for (const auto& change : changes.all()) batch->stage(change);
  }
  ASSERT_TRUE(store_->commit(*batch).ok());
  const auto job = finished(*store_, 1);
  ASSERT_TRUE(job);
  EXPECT_EQ(job->body, std::string(5000, 'x'));
  EXPECT_EQ(job->report, std::string(300, 'r'));
}

TEST_P(StoreConformance, SharedPartsAreKeptApartByContent) {
  // Large enough to be stored once, named by several jobs of the batch, and changing under the same address.
  const auto batch = store_->new_batch();
  for (std::uint64_t n = 1; n <= 30; ++n) {
    Changes one;
    one.accept(Job{.number = n, .spec = std::string(500, static_cast<char>('a' + n % 3))});
    batch->stage(one.all().front());
  }
  ASSERT_TRUE(store_->commit(*batch).ok());
  for (std::uint64_t n = 1; n <= 30; ++n) {
    const auto body = body_of(*store_, n);
    ASSERT_TRUE(body);
    EXPECT_EQ(body->spec, std::string(500, static_cast<char>('a' + n % 3))) << n;
  }
}

TEST_P(StoreConformance, BodiesAreReportedByIndexInAnyOrder) {
  Changes changes;
  for (std::uint64_t n = 1; n <= 5; ++n) changes.accept(Job{.number = n, .body = "b" + std::to_string(n)});
  must_commit(*store_, changes);
  const std::vector<queue::Sequence> wanted{4, 9, 1, 5, 1};
  std::map<std::size_t, std::string> got;
  ASSERT_TRUE(store_->bodies(wanted, [&](std::size_t i, const Batch::Body& body) { got[i] = body.body; }).ok());
  EXPECT_EQ(got, (std::map<std::size_t, std::string>{{0, "b4"}, {2, "b1"}, {3, "b5"}, {4, "b1"}}));
}

TEST_P(StoreConformance, ReattachedLeaseMayComeBehindNewerOnes) {
  must_commit(*store_, Changes().accept(Job{.number = 1}).accept(Job{.number = 2}).accept(Job{.number = 3}).lease(1, 5));
  must_commit(*store_, Changes().end_lease(1, 5).lease(2, 9).lease(1, 5).lease(3, 7).end_lease(1, 5).lease(1, 5));
  must_commit(*store_, Changes().finish(1, 5).finish(2, 9));
  EXPECT_TRUE(finished(*store_, 1));
  EXPECT_TRUE(finished(*store_, 2));
  EXPECT_TRUE(body_of(*store_, 3));
}

TEST_P(StoreConformance, BodyOfAJobThatGoesOnCarriesItsLastReport) {
  must_commit(*store_, Changes().accept(Job{.number = 1}).accept(Job{.number = 2}).lease(1, 3));
  queue::StateRecord failed;
  failed.sequence = 1;
  failed.attempts = 1;
  failed.failures = 1;
  failed.report = "why it failed";
  must_commit(*store_, Changes().change(failed).end_lease(1, 3));
  const std::vector<queue::Sequence> wanted{1, 2};
  std::vector<std::string> reports;
  ASSERT_TRUE(
      store_->bodies(wanted, [&](std::size_t, const Batch::Body& body) { reports.emplace_back(body.report); }).ok());
  EXPECT_EQ(reports, (std::vector<std::string>{"why it failed", ""}));
}

TEST_P(StoreConformance, FinishedJobIsFoundBeforeAndAfterItIsFiled) {
  must_commit(*store_, Changes().accept(Job{.number = 1, .key = "k"}).lease(1, 3));
  EXPECT_FALSE(finished(*store_, 1));
  must_commit(*store_, Changes().finish(1, 3, "outcome"));
  for (int round = 0; round < 2; ++round) {
    const auto job = finished(*store_, 1);
    ASSERT_TRUE(job) << round;
    EXPECT_EQ(job->sequence, 1U);
    EXPECT_EQ(job->state, JobState::succeeded);
    EXPECT_EQ(job->content_hash, 7919U);
    EXPECT_EQ(job->consumed, (Token{1, 3}));
    EXPECT_EQ(job->started_at, kStart + Millis{10});
    EXPECT_EQ(job->finished_at, kStart + Millis{20});
    EXPECT_EQ(job->report, "outcome");
    EXPECT_EQ(job->body, "body");
    EXPECT_EQ(job->spec, "spec");
    EXPECT_EQ(job->key, "k");
    EXPECT_EQ(store_->usage().finished_jobs, 1U);
    maintain_all(*store_, kStart);
  }
}

TEST_P(StoreConformance, FindWithoutBodyLeavesTheBodyOutAndSaysItsSize) {
  must_commit(*store_, Changes().accept(Job{}).finish(1));
  const auto job = finished(*store_, 1, false);
  ASSERT_TRUE(job);
  EXPECT_EQ(job->body, "");
  EXPECT_EQ(job->body_size, 4U);
  EXPECT_EQ(job->spec, "spec");
  EXPECT_EQ(job->queue, "default");
  EXPECT_EQ(job->report, "report");
}

TEST_P(StoreConformance, FinishedJobIsForgottenWhenItsTimeIsOver) {
  must_commit(*store_, Changes().accept(Job{}).finish(1, 0, "r", kStart + Millis{5000}));
  maintain_all(*store_, kStart + Millis{4000});
  EXPECT_TRUE(finished(*store_, 1));
  const MaintainInfo info = maintain_all(*store_, kStart + Millis{5000});
  EXPECT_EQ(info.forgotten, 1U);
  EXPECT_EQ(info.forgotten_early, 0U);
  EXPECT_FALSE(finished(*store_, 1));
  EXPECT_EQ(store_->usage().finished_jobs, 0U);
}

TEST_P(StoreConformance, KeepOfZeroLeavesNothing) {
  must_commit(*store_, Changes().accept(Job{}).lease(1, 1));
  must_commit(*store_, Changes().finish(1, 1, "r", kStart + Millis{20}).forget(1, 1, 1));
  EXPECT_FALSE(finished(*store_, 1));
  maintain_all(*store_, kStart);
  EXPECT_FALSE(finished(*store_, 1));
  EXPECT_FALSE(body_of(*store_, 1));
  EXPECT_EQ(store_->usage().finished_jobs, 0U);
}

TEST_P(StoreConformance, JobThatCancelsOutWithinABatchIsNotWritten) {
  queue::StateRecord state;
  state.sequence = 1;
  const auto info = commit(*store_, Changes().accept(Job{}).change(state).lease(1, 1).finish(1, 1).forget(1, 1, 1));
  ASSERT_TRUE(info.ok());
  EXPECT_EQ(info->jobs, 0U);
  EXPECT_FALSE(body_of(*store_, 1));
  EXPECT_FALSE(finished(*store_, 1));
}

TEST_P(StoreConformance, LiveJobIsForgotten) {
  must_commit(*store_, Changes().accept(Job{.number = 1}).accept(Job{.number = 2}));
  must_commit(*store_, Changes().forget(1));
  maintain_all(*store_, kStart);
  EXPECT_FALSE(body_of(*store_, 1));
  EXPECT_FALSE(finished(*store_, 1));
  EXPECT_TRUE(body_of(*store_, 2));
}

TEST_P(StoreConformance, FinishedJobIsForgottenOnDemandBeforeAndAfterFiling) {
  must_commit(*store_, Changes().accept(Job{.number = 1}).accept(Job{.number = 2}).finish(1));
  maintain_all(*store_, kStart);
  must_commit(*store_, Changes().finish(2));
  must_commit(*store_, Changes().forget(1).forget(2));
  EXPECT_FALSE(finished(*store_, 1));
  EXPECT_FALSE(finished(*store_, 2));
  maintain_all(*store_, kStart + Millis{2000});
  EXPECT_FALSE(finished(*store_, 1));
  EXPECT_FALSE(finished(*store_, 2));
  EXPECT_FALSE(body_of(*store_, 2));
}

TEST_P(StoreConformance, RevivedJobHasItsBodyUnderTheNewSequence) {
  for (const bool filed : {false, true}) {
    for (const std::size_t size : {std::size_t{100}, std::size_t{9000}}) {
      SCOPED_TRACE(testing::Message() << "filed " << filed << ", size " << size);
      const std::uint64_t number = 10 * (1 + (filed ? 1U : 0U) + 2 * (size > 1000 ? 1U : 0U));
      must_commit(*store_, Changes().accept(Job{.number = number, .body = std::string(size, 'b')}).finish(number));
      if (filed) maintain_all(*store_, kStart + Millis{static_cast<std::int64_t>(number) * 10'000});
      must_commit(*store_, Changes().revive(number, number, number + 1));
      EXPECT_FALSE(finished(*store_, number));
      EXPECT_FALSE(body_of(*store_, number));
      const auto body = body_of(*store_, number + 1);
      ASSERT_TRUE(body);
      EXPECT_EQ(body->body, std::string(size, 'b'));
      EXPECT_EQ(body->spec, "spec");
      must_commit(*store_, Changes().finish(number, 0, "again", kStart + limits::kDefaultKeep, number + 1));
      const auto again = finished(*store_, number);
      ASSERT_TRUE(again);
      EXPECT_EQ(again->report, "again");
      EXPECT_EQ(again->sequence, number + 1);
    }
  }
}

TEST_P(StoreConformance, OneBatchMayFinishReviveAndFinishAgain) {
  must_commit(*store_, Changes().accept(Job{.number = 1}).accept(Job{.number = 2}));
  must_commit(*store_, Changes()
                           .finish(1, 0, "first")
                           .revive(1, 1, 3)
                           .finish(1, 0, "second", kStart + limits::kDefaultKeep, 3)
                           .finish(2)
                           .revive(2, 2, 4)
                           .forget(2, 4));
  for (int round = 0; round < 2; ++round) {
    const auto job = finished(*store_, 1);
    ASSERT_TRUE(job);
    EXPECT_EQ(job->report, "second");
    EXPECT_EQ(job->sequence, 3U);
    EXPECT_EQ(job->body, "body");
    EXPECT_FALSE(finished(*store_, 2));
    maintain_all(*store_, kStart + Millis{10'000} * round);
  }
  EXPECT_FALSE(body_of(*store_, 4));
}

TEST_P(StoreConformance, LaterJobOfTheSameIdTakesThePlaceOfTheFinishedOne) {
  must_commit(*store_, Changes().accept(Job{.number = 1}).finish(1, 0, "first"));
  maintain_all(*store_, kStart);
  must_commit(*store_, Changes().accept(Job{.number = 1, .sequence = 2, .body = "later"}));
  must_commit(*store_, Changes().finish(1, 0, "second", kStart + Millis{50'000}, 2));
  for (int round = 0; round < 2; ++round) {
    const auto job = finished(*store_, 1);
    ASSERT_TRUE(job);
    EXPECT_EQ(job->report, "second");
    EXPECT_EQ(job->body, "later");
    EXPECT_EQ(job->sequence, 2U);
    maintain_all(*store_, kStart + Millis{5000} * round);
  }
  EXPECT_EQ(store_->usage().finished_jobs, 1U);
  EXPECT_EQ(maintain_after_pause(*store_, kStart + Millis{60'000}).forgotten, 1U);
  EXPECT_FALSE(finished(*store_, 1));
}

TEST_P(StoreConformance, SharedPartOutlivesAllButItsLastJob) {
  Changes accept;
  for (std::uint64_t n = 1; n <= 3; ++n) accept.accept(Job{.number = n, .spec = std::string(400, 's')});
  must_commit(*store_, accept);
  must_commit(*store_, Changes().finish(1).finish(2, 0, "r", kStart + Millis{20}).forget(2));
  maintain_all(*store_, kStart);
  EXPECT_EQ(finished(*store_, 1)->spec, std::string(400, 's'));
  must_commit(*store_, Changes().forget(1));
  EXPECT_EQ(body_of(*store_, 3)->spec, std::string(400, 's'));
}

TEST_P(StoreConformance, FinishedLimitDropsReportsThenRecordsButNeverWithinTheDedupWindow) {
  StoreOptions options;
  options.finished_limit = 200 * limits::KiB;
  options.dedup_window = Millis{600'000};
  make(options);
  constexpr std::uint64_t kJobs = 4000;
  Changes accept;
  Changes finish;
  for (std::uint64_t n = 1; n <= kJobs; ++n) {
    accept.accept(Job{.number = n});
    finish.finish(n, 0, std::string(100, 'r'));
  }
  must_commit(*store_, accept);
  must_commit(*store_, finish);
  const MaintainInfo within = maintain_all(*store_, kStart + Millis{1000});
  if (GetParam() == Engine::lmdb) {
    EXPECT_EQ(within.forgotten_early, 0U);
    EXPECT_EQ(store_->usage().finished_jobs, kJobs);
    EXPECT_EQ(finished(*store_, 1)->report, "");
  }
  const MaintainInfo past = maintain_after_pause(*store_, kStart + Millis{700'000});
  maintain_through_grace(*store_, kStart + Millis{700'000});
  EXPECT_GT(within.forgotten_early + past.forgotten_early, 0U);
  EXPECT_FALSE(finished(*store_, 1));
  EXPECT_GT(store_->usage().finished_jobs, 0U);
  EXPECT_LE(store_->usage().finished_bytes, 200 * limits::KiB);
}

TEST_P(StoreConformance, ReadersRunBesideCommits) {
  constexpr std::uint64_t kRounds = 150;
  constexpr std::uint64_t kJobs = 20;
  std::atomic<std::uint64_t> accepted{0};
  std::atomic<std::uint64_t> ended{0};
  std::atomic<bool> done{false};
  std::atomic<std::uint64_t> reads{0};
  std::vector<std::thread> readers;
  for (int r = 0; r < 2; ++r) {
    readers.emplace_back([&] {
      while (!done.load()) {
        // What was final before the call is found whatever the sweeper does meanwhile.
        const std::uint64_t through = ended.load();
        std::vector<JobId> ids;
        for (std::uint64_t n = through > 50 ? through - 50 : 0; n < through; ++n) ids.push_back(job_id(n + 1));
        std::size_t found = 0;
        EXPECT_TRUE(store_
                        ->find(ids, {true},
                               [&](std::size_t, const queue::FinishedJob& job) {
                                 ++found;
                                 EXPECT_EQ(job.job.body, "body");
                               })
                        .ok());
        EXPECT_EQ(found, ids.size());
        const queue::Sequence last = accepted.load();
        if (last != 0 && last > ended.load() + kJobs) {
          std::ignore = store_->bodies(std::span(&last, 1), [](std::size_t, const Batch::Body&) {});
        }
        std::ignore = store_->usage();
        ++reads;
      }
    });
  }
  // At least kRounds, and until both readers had their turn.
  for (std::uint64_t round = 0; round < kRounds || reads.load() < 10; ++round) {
    Changes changes;
    for (std::uint64_t n = 1; n <= kJobs; ++n) changes.accept(Job{.number = round * kJobs + n});
    if (round > 1) {
      for (std::uint64_t n = 1; n <= kJobs; ++n) changes.finish((round - 2) * kJobs + n);
    }
    must_commit(*store_, changes);
    accepted = (round + 1) * kJobs;
    if (round > 1) ended = (round - 1) * kJobs;
    EXPECT_TRUE(store_->maintain(kStart + Millis{2000} * round).ok());
  }
  done = true;
  for (auto& reader : readers) reader.join();
}

INSTANTIATE_TEST_SUITE_P(Engines, StoreConformance, testing::Values(Engine::lmdb, Engine::memory),
                         [](const auto& engine) { return engine.param == Engine::lmdb ? "Lmdb" : "Memory"; });

TEST(MemoryStore, OldestOutcomesMakeRoomForJobs) {
  const auto store = make_memory({}, 200 * limits::KiB);
  Changes changes;
  for (std::uint64_t n = 1; n <= 100; ++n) {
    changes.accept(Job{.number = n, .body = std::string(4000, 'b')}).finish(n);
  }
  must_commit(*store, changes);
  EXPECT_LE(store->usage().used_bytes, 200 * limits::KiB);
  EXPECT_TRUE(store->usage().accepts_submits);
  EXPECT_FALSE(finished(*store, 1));
  EXPECT_TRUE(finished(*store, 100));
  EXPECT_GT(store->maintain(kStart)->forgotten_early, 0U);
}

TEST(MemoryStore, RefusesSubmitsWhileLiveJobsFillItAndTakesThemAgain) {
  const auto store = make_memory({}, 100 * limits::KiB);
  Changes changes;
  for (std::uint64_t n = 1; n <= 30; ++n) changes.accept(Job{.number = n, .body = std::string(4000, 'b')});
  must_commit(*store, changes);
  EXPECT_FALSE(store->usage().accepts_submits);
  EXPECT_THAT(store->usage().why_not, testing::HasSubstr("--memory-limit"));
  Changes ends;
  for (std::uint64_t n = 1; n <= 10; ++n) ends.forget(n);
  must_commit(*store, ends);
  EXPECT_TRUE(store->usage().accepts_submits);
}

}  // namespace
}  // namespace rota::store::test

#include "tests/conformance/each_engine.h"

// What many JobForgotten of finished jobs do in one commit, of every engine.
namespace rota::store::test {
namespace {

constexpr std::uint64_t kJobs = 1000;

class StorePurge : public EachEngine {
 protected:
  // Jobs 1 to kJobs, finished; the lower half filed.
  void SetUp() override {
    make({});
    for (const bool filed : {true, false}) {
      Changes changes;
      const std::uint64_t first = filed ? 1 : kJobs / 2 + 1;
      for (std::uint64_t n = first; n < first + kJobs / 2; ++n) {
        changes.accept(Job{.number = n, .spec = std::string(200, 's')}).finish(n);
      }
      must_commit(*store_, changes);
      if (filed) maintain_all(*store_, kStart);
    }
  }
  [[nodiscard]] std::vector<std::uint64_t> left() const {
    std::vector<std::uint64_t> numbers;
    for (std::uint64_t n = 1; n <= kJobs; ++n) {
      if (finished(*store_, n)) numbers.push_back(n);
    }
    return numbers;
  }
};

TEST_P(StorePurge, JobsNamedFromTheNewestDownAreGone) {
  Changes changes;
  for (std::uint64_t n = kJobs; n > 10; --n) changes.forget(n);
  must_commit(*store_, changes);
  EXPECT_EQ(left(), (std::vector<std::uint64_t>{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}));
  EXPECT_EQ(store_->usage().finished_jobs, 10U);
  maintain_all(*store_, kStart + Millis{5000});
  EXPECT_EQ(left().size(), 10U);
  EXPECT_EQ(store_->usage().finished_jobs, 10U);
  // Nothing is left that would be forgotten later.
  const MaintainInfo info = maintain_after_pause(*store_, kStart + limits::kDefaultKeep + Millis{10'000});
  EXPECT_EQ(info.forgotten, 10U);
}

TEST_P(StorePurge, OneThatWentOnSinceIsLeftAlone) {
  must_commit(*store_, Changes().revive(3, 3, kJobs + 1).revive(900, 900, kJobs + 2).revive(4, 4, kJobs + 3));
  must_commit(*store_, Changes().finish(3, 0, "again", kStart + limits::kDefaultKeep, kJobs + 1));
  maintain_all(*store_, kStart + Millis{2000});
  must_commit(*store_, Changes().revive(6, 6, kJobs + 4).finish(6, 0, "again", kStart + limits::kDefaultKeep, kJobs + 4));
  must_commit(*store_, Changes().forget(6).forget(3).forget(4).forget(5).forget(900));
  const auto again = finished(*store_, 3);
  ASSERT_TRUE(again);
  EXPECT_EQ(again->report, "again");
  EXPECT_TRUE(body_of(*store_, kJobs + 2));
  EXPECT_TRUE(body_of(*store_, kJobs + 3));
  EXPECT_FALSE(finished(*store_, 5));
  maintain_all(*store_, kStart + Millis{5000});
  EXPECT_TRUE(finished(*store_, 3));
  EXPECT_TRUE(finished(*store_, 6));
  EXPECT_TRUE(body_of(*store_, kJobs + 2));
  EXPECT_TRUE(body_of(*store_, kJobs + 3));
}

TEST_P(StorePurge, OneThatIsGoneAlreadyIsNoError) {
  must_commit(*store_, Changes().forget(3).forget(900));
  must_commit(*store_, Changes().forget(900).forget(3).forget(2).forget(5000));
  maintain_all(*store_, kStart + Millis{5000});
  must_commit(*store_, Changes().forget(900).forget(3).forget(2));
  EXPECT_EQ(left().size(), kJobs - 3);
}

TEST_P(StorePurge, OneBatchMayForgetReviveAndFinish) {
  must_commit(*store_, Changes()
                           .forget(1)
                           .revive(2, 2, kJobs + 1)
                           .finish(2, 0, "again", kStart + limits::kDefaultKeep, kJobs + 1)
                           .forget(3)
                           .forget(2)  // as it was before
                           .forget(700));
  const auto again = finished(*store_, 2);
  ASSERT_TRUE(again);
  EXPECT_EQ(again->report, "again");
  EXPECT_EQ(left().size(), kJobs - 3);
}

INSTANTIATE_TEST_SUITE_P(Engines, StorePurge, testing::Values(Engine::lmdb, Engine::memory), engine_name);

}  // namespace
}  // namespace rota::store::test

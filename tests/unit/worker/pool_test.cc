#include "worker/pool.h"

#include <gtest/gtest.h>
#include <poll.h>

#include <limits>

namespace rota::worker {
namespace {

bool woke_leader(const Pool& pool) {
  pollfd waiting{pool.wake_fd(), POLLIN, 0};
  return poll(&waiting, 1, 0) == 1;
}

// A run of a job that is enough to be executed.
class PoolRun {
 public:
  explicit PoolRun(Handler handler) : handler_(std::move(handler)) {
    batch_.dispatch.shared.resize(1);
    batch_.dispatch.items.resize(1);
    batch_.specs.resize(1);
    run.what = {&batch_, 0};
    run.handler = &handler_;
  }
  Run run;

 private:
  Batch batch_;
  Handler handler_;
};

TEST(Pool, ATightLoopOfReportsDoesNotFloodAndTheLastOneIsKept) {
  for (const double fraction : {1.0, 0.5, std::numeric_limits<double>::quiet_NaN()}) {
    Pool pool;
    std::vector<Done> done;
    std::vector<ProgressReport> progress;
    bool woken_again = false;
    PoolRun job{[&](const Job&, Context& context) {
      context.progress(fraction, "first");
      pool.collect(done, progress);
      EXPECT_EQ(progress.size(), 1U);
      for (int count = 0; count < 100; ++count) context.progress(fraction, "more");
      context.progress(fraction, "last");
      woken_again = woke_leader(pool);
      return Outcome::success();
    }};
    const std::int64_t from = monotonic_us();
    EXPECT_EQ(pool.execute(job.run).end, AttemptEnd::succeeded);
    const bool one_was_due_again = monotonic_us() - from >= 200'000;
    EXPECT_TRUE(!woken_again || one_was_due_again);
    pool.collect(done, progress);
    ASSERT_EQ(progress.size(), 1U);
    EXPECT_EQ(progress[0].message, "last");
  }
}

TEST(Pool, ReportsOfSeveralRunsDoNotReplaceEachOther) {
  Pool pool;
  PoolRun inner{[](const Job&, Context& context) {
    context.progress(0.2, "inner");
    return Outcome::success();
  }};
  PoolRun outer{[&](const Job&, Context& context) {
    context.progress(0.1, "begun");
    static_cast<void>(pool.execute(inner.run));
    context.progress(0.9, "outer");
    return Outcome::success();
  }};
  static_cast<void>(pool.execute(outer.run));
  std::vector<Done> done;
  std::vector<ProgressReport> progress;
  pool.collect(done, progress);
  ASSERT_EQ(progress.size(), 2U);
  EXPECT_EQ(progress[0].message, "outer");
  EXPECT_EQ(progress[1].message, "inner");
}

TEST(Pool, AQuickRunWithOthersBehindItWakesTheLeaderUnlessThatLooksByItself) {
  Pool pool;
  worker::Run first, second;  // not that of the test
  first.quick = second.quick = true;
  pool.push(&first);
  pool.push(&second);
  ASSERT_EQ(pool.take(std::chrono::milliseconds{0}), &first);
  std::vector<Done> done;
  std::vector<ProgressReport> progress;

  EXPECT_TRUE(pool.may_wait(true));
  pool.report(Done{&first, Outcome::success(), 10});
  EXPECT_FALSE(woke_leader(pool));
  EXPECT_FALSE(pool.may_wait(false));  // it would sleep beside it
  pool.collect(done, progress);
  EXPECT_EQ(done.size(), 1U);

  EXPECT_TRUE(pool.may_wait(false));
  pool.report(Done{&first, Outcome::success(), 10});
  EXPECT_TRUE(woke_leader(pool));
}

}  // namespace
}  // namespace rota::worker

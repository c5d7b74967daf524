// What the core measures: waits, run times, rates, and counts by queue.
#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

#include "broker/queue/core.h"

namespace rota::queue {
namespace {

// The bucket that holds the only value.
std::size_t only_bucket(const Durations& durations) {
  std::size_t found = SIZE_MAX;
  for (std::size_t i = 0; i < durations.counts().size(); ++i) {
    if (durations.counts()[i] == 0) continue;
    EXPECT_EQ(SIZE_MAX, found);
    EXPECT_EQ(1U, durations.counts()[i]);
    found = i;
  }
  return found;
}
std::uint64_t count(const Durations& durations) {
  std::uint64_t sum = 0;
  for (const std::uint64_t one : durations.counts()) sum += one;
  return sum;
}
std::uint64_t bound(std::size_t bucket) { return kDurationBounds.at(bucket); }

class MeasuresTest : public testing::Test {
 protected:
  JobId submit(Millis delay = Millis{0}, std::uint32_t retries = 0) {
    SubmitShared shared;
    shared.record.queue = "default";
    shared.record.type = "work";
    shared.record.policy.retries = retries;
    shared.record.policy.backoff = Millis{1000};
    shared.delay = delay;
    SubmitItem item;
    item.id = make_job_id(now_.wall, slot_of_queue("default"), ids_);
    effects_.clear();
    core_.apply(Submit{1, 1, {&shared, 1}, {&item, 1}, {}}, now_, effects_);
    tick();
    return item.id;
  }
  void connect() {
    const ServedQueue queue{"default", 1};
    const std::string_view type = "work";
    WorkerHello hello;
    hello.route = 7;
    hello.session = random_session_;
    hello.connection = 1;
    hello.name = "w";
    hello.slots = 1;
    hello.queues = {&queue, 1};
    hello.types = {&type, 1};
    effects_.clear();
    core_.apply(hello, now_, effects_);
    for (const Message& message : effects_.messages) {
      if (const auto* welcome = std::get_if<WorkerWelcomed>(&message.body)) session_ = welcome->session;
    }
    tick();
  }
  void tick() {
    core_.tick(now_, effects_);
    if (!effects_.dispatches.empty()) given_ = {effects_.dispatches.back().id, effects_.dispatches.back().token};
  }
  void complete(AttemptEnd end, Millis started_ago) {
    ASSERT_TRUE(given_.has_value());
    const CompletionItem item{*given_, end, {}, started_ago};
    given_.reset();
    effects_.clear();
    core_.apply(Complete{session_, 1, item.job.token.dispatch, 1, {&item, 1}, {}}, now_, effects_);
    tick();
  }
  void pass(Millis time) {
    now_ = {now_.steady + time, now_.wall + time};
    effects_.clear();
    core_.apply(Renew{session_, 0, 1}, now_, effects_);
    tick();
  }
  QueueView view() {
    QueueView found;
    core_.each_queue(now_, [&](const QueueView& one) { found = one; });
    return found;
  }
  const Durations& waits() { return core_.counters().queue_wait; }
  const Durations& runs() { return core_.counters().run_time; }

  Now now_{Steady{100'000}, Wall{1'700'000'000'000}};
  Prng ids_{3};
  Uuid random_session_ = make_job_id(now_.wall, 1, ids_);
  Core core_{CoreOptions{}, Prng(5)};
  Effects effects_;
  SessionRef session_ = kNoSession;
  std::optional<TokenOf> given_;
};

TEST_F(MeasuresTest, TheWaitOfAJobEndsWithItsDispatch) {
  submit();
  pass(Millis{150});
  EXPECT_EQ(0U, count(waits()));
  connect();
  EXPECT_EQ(200U, bound(only_bucket(waits())));
  EXPECT_EQ(150U, waits().sum());
}

TEST_F(MeasuresTest, ARetryIsNoSecondWait) {
  connect();
  submit(Millis{0}, 3);
  pass(Millis{10});
  complete(AttemptEnd::failed, Millis{5});
  pass(Millis{60'000});
  ASSERT_TRUE(given_.has_value());  // dispatched again
  EXPECT_EQ(1U, count(waits()));
  EXPECT_EQ(0U, waits().sum());
  EXPECT_EQ(2U, core_.counters().dispatched);
  EXPECT_EQ(2U, view().dispatched);
  EXPECT_EQ(1U, view().accepted);
}

TEST_F(MeasuresTest, ADelayIsNoWait) {
  connect();
  submit(Millis{5000});
  pass(Millis{5000});
  ASSERT_TRUE(given_.has_value());
  EXPECT_EQ(0U, count(waits()));
}

TEST_F(MeasuresTest, AJobThatSomebodyRetriesDidNotWaitSinceItWasMade) {
  const JobId id = submit();
  effects_.clear();
  core_.apply(Cancel{1, 1, {&id, 1}, {}}, now_, effects_);
  pass(Millis{1000});
  const RetryItem again{id, std::nullopt};
  effects_.clear();
  core_.apply(Retry{1, 1, {&again, 1}, {}}, now_, effects_);
  connect();
  ASSERT_TRUE(given_.has_value());
  EXPECT_EQ(0U, count(waits()));
}

TEST_F(MeasuresTest, ARunLastsSinceItsWorkerStartedIt) {
  connect();
  submit();
  pass(Millis{2000});
  complete(AttemptEnd::succeeded, Millis{700});
  EXPECT_EQ(1000U, bound(only_bucket(runs())));
  EXPECT_EQ(700U, runs().sum());
}

TEST_F(MeasuresTest, ARunNeverLastsLongerThanSinceItsDispatch) {
  connect();
  submit();
  pass(Millis{2000});
  complete(AttemptEnd::succeeded, Millis{3'600'000});
  EXPECT_EQ(2000U, runs().sum());
}

TEST_F(MeasuresTest, WhatDidNotRunHasNoRunTime) {
  connect();
  submit();
  pass(Millis{2000});
  complete(AttemptEnd::expired, Millis{0});
  EXPECT_EQ(0U, count(runs()));
}

TEST_F(MeasuresTest, AClockThatWasSetBackMakesNothingNegative) {
  submit();
  now_.wall = now_.wall - Millis{3'600'000};
  connect();
  EXPECT_EQ(0U, waits().sum());
  now_.wall = now_.wall - Millis{3'600'000};
  complete(AttemptEnd::succeeded, Millis{700});
  EXPECT_EQ(1U, count(runs()));
  EXPECT_EQ(0U, runs().sum());
}

TEST_F(MeasuresTest, AQueueTellsItsRatesAndWorkers) {
  EXPECT_EQ(0U, view().workers);
  connect();
  for (int i = 0; i < 100; ++i) {
    submit();
    pass(Millis{100});
    if (i % 2 == 0) complete(AttemptEnd::succeeded, Millis{1});
  }
  EXPECT_NEAR(10.0, view().submits_per_s, 0.5);
  EXPECT_NEAR(5.0, view().finishes_per_s, 0.5);
  EXPECT_EQ(1U, view().workers);
  EXPECT_EQ(100U, view().accepted);
}

}  // namespace
}  // namespace rota::queue

#include "worker/core.h"

#include <gtest/gtest.h>

#include "tests/unit/worker/core_driver.h"

namespace rota::worker {
namespace {

TEST(WorkerCore, GrantsItsSlotsAndNoPrefetchAtFirst) {
  CoreDriver driver{3};
  driver.attach();
  EXPECT_EQ(driver.hello.credit, 3U);
  EXPECT_EQ(driver.hello.slots, 3U);
  EXPECT_EQ(driver.hello.connection, 1U);
}

TEST(WorkerCore, StartsInDispatchOrderUpToItsSlots) {
  CoreDriver driver{2};
  driver.attach();
  driver.dispatch(5);
  ASSERT_EQ(driver.started.size(), 2U);
  EXPECT_EQ(driver.core->assignment(driver.started[0]).item().dispatch, 1U);
  EXPECT_EQ(driver.core->assignment(driver.started[1]).item().dispatch, 2U);
  driver.finish(1);
  ASSERT_EQ(driver.started.size(), 3U);
  EXPECT_EQ(driver.core->assignment(driver.started[2]).item().dispatch, 3U);
  // Begun tells through which dispatch; a finished one has begun in any case.
  EXPECT_EQ(driver.core->started_through(), 2U);
}

TEST(WorkerCore, SendsALoneCompletionAtOnce) {
  CoreDriver driver{2};
  driver.attach();
  driver.dispatch(1);
  driver.finish(0, Outcome::success("42"));
  const auto* complete = driver.last<wire::Complete>();
  ASSERT_NE(complete, nullptr);
  ASSERT_EQ(complete->items.size(), 1U);
  EXPECT_EQ(complete->items[0].report.result, "42");
  EXPECT_EQ(complete->started_through, 1U);
  EXPECT_EQ(driver.core->unacknowledged(), 1U);
  driver.acknowledge();
  EXPECT_EQ(driver.core->unacknowledged(), 0U);
}

TEST(WorkerCore, StaleAndGoneAreAcknowledgementsToo) {
  for (const Code code : {Code::stale, Code::gone}) {
    CoreDriver driver;
    driver.attach();
    driver.dispatch(1);
    driver.finish(0);
    driver.acknowledge(code);
    EXPECT_EQ(driver.core->unacknowledged(), 0U);
  }
}

TEST(WorkerCore, SendsGatheredCompletionsBeforeAJobThatMayTakeLong) {
  CoreDriver driver{1};
  driver.attach();
  driver.dispatch(2);
  driver.finish(0);  // nothing is known of this type: the next run may take long
  EXPECT_EQ(driver.started.size(), 2U);
  ASSERT_NE(driver.last<wire::Complete>(), nullptr);
}

TEST(WorkerCore, GathersCompletionsOfShortJobs) {
  CoreDriver driver{1};
  driver.attach();
  for (int run = 0; run < 200; ++run) {
    driver.dispatch(1);
    driver.finish(driver.started.size() - 1, Outcome::success(), 10);
    driver.acknowledge();
  }
  driver.sent.clear();
  const std::size_t first = driver.started.size();
  driver.dispatch(2000);
  ASSERT_GT(driver.started.size(), first + 10);  // some wait at the handler threads
  ASSERT_GT(driver.core->held(), 0U);
  for (std::size_t at = 0; at < 50; ++at) driver.finish(first + at, Outcome::success(), 10);
  EXPECT_EQ(driver.last<wire::Complete>(), nullptr);
  driver.wait(limits::kFlushInterval.count());
  const auto* complete = driver.last<wire::Complete>();
  ASSERT_NE(complete, nullptr);
  EXPECT_EQ(complete->items.size(), 50U);
}

TEST(WorkerCore, CreditFollowsTheRunTime) {
  CoreDriver driver{2};
  driver.attach();
  for (int run = 0; run < 8; ++run) {
    driver.dispatch(1);
    driver.finish(driver.started.size() - 1, Outcome::success(), 1000);
  }
  EXPECT_GT(driver.core->credit(), 10U);
  for (int run = 0; run < 2000; ++run) {
    driver.dispatch(1);
    driver.finish(driver.started.size() - 1, Outcome::success(), 1000);
  }
  EXPECT_NEAR(driver.core->credit(), 2 + 2 * 50, 3);
  for (int run = 0; run < 30; ++run) {
    driver.dispatch(1);
    driver.finish(driver.started.size() - 1, Outcome::success(), 60'000'000);
  }
  EXPECT_EQ(driver.core->credit(), 2U);
}

TEST(WorkerCore, HandsBackWhatStandsBehindSlowJobs) {
  CoreDriver driver{1};
  driver.attach();
  driver.dispatch(3);
  driver.wait(limits::kHoldPatience.count());
  const auto* released = driver.last<wire::Released>();
  ASSERT_NE(released, nullptr);
  ASSERT_EQ(released->jobs.size(), 2U);
  EXPECT_EQ(released->jobs[0].token, driver.tokens[1].token);
  EXPECT_EQ(released->credit, 1U);
  EXPECT_EQ(driver.core->held(), 0U);
}

TEST(WorkerCore, ReclaimReleasesOnlyWhatIsNotStarted) {
  CoreDriver driver{1};
  driver.attach();
  driver.dispatch(3);
  driver.receive(wire::Reclaim{{driver.tokens[0], driver.tokens[2]}});
  const auto* released = driver.last<wire::Released>();
  ASSERT_NE(released, nullptr);
  ASSERT_EQ(released->jobs.size(), 1U);
  EXPECT_EQ(released->jobs[0].token, driver.tokens[2].token);
  driver.finish(0);
  ASSERT_EQ(driver.started.size(), 2U);
  EXPECT_EQ(driver.core->assignment(driver.started[1]).item().dispatch, 2U);
}

TEST(WorkerCore, CancelDropsAHeldJobAndStopsARunningOne) {
  CoreDriver driver{1, true};
  driver.attach();
  driver.dispatch(2);
  driver.receive(wire::CancelJobs{{driver.tokens[0], driver.tokens[1]}});
  ASSERT_EQ(driver.stopped.size(), 1U);
  EXPECT_EQ(driver.stopped[0].reason, StopReason::cancelled);
  EXPECT_FALSE(driver.stopped[0].force);
  const auto* complete = driver.last<wire::Complete>();
  ASSERT_NE(complete, nullptr);
  EXPECT_EQ(complete->items[0].end, AttemptEnd::cancelled);
  // It does not listen: after the grace it is killed.
  driver.wait(limits::kStopGrace.count());
  ASSERT_EQ(driver.stopped.size(), 2U);
  EXPECT_TRUE(driver.stopped[1].force);
  driver.finish(0, Outcome::failure("EXIT", "killed"));
  EXPECT_EQ(driver.last<wire::Complete>()->items[0].end, AttemptEnd::cancelled);
}

TEST(WorkerCore, AJobThatSucceededInSpiteOfACancelSucceeded) {
  CoreDriver driver;
  driver.attach();
  driver.dispatch(1);
  driver.receive(wire::CancelJobs{{driver.tokens[0]}});
  driver.finish(0, Outcome::success());
  EXPECT_EQ(driver.last<wire::Complete>()->items[0].end, AttemptEnd::succeeded);
}

TEST(WorkerCore, AnExpiredJobIsNotStarted) {
  CoreDriver driver{1};
  driver.attach();
  driver.dispatch(1);
  driver.dispatch(1, CoreDriver::work(), Millis{500});
  driver.now.ms += 600;
  driver.finish(0);
  EXPECT_EQ(driver.started.size(), 1U);
  const auto* complete = driver.last<wire::Complete>();
  ASSERT_NE(complete, nullptr);
  ASSERT_EQ(complete->items.size(), 2U);
  EXPECT_EQ(complete->items[1].end, AttemptEnd::expired);
}

TEST(WorkerCore, ACommandIsKilledAtItsTimeLimit) {
  CoreDriver driver{1, true};
  driver.attach();
  wire::DispatchShared shared = CoreDriver::work();
  shared.time_limit = Millis{2000};
  driver.dispatch(1, shared);
  driver.wait(1999);
  EXPECT_TRUE(driver.stopped.empty());
  driver.wait(1);
  ASSERT_EQ(driver.stopped.size(), 1U);
  EXPECT_TRUE(driver.stopped[0].force);
  driver.finish(0, Outcome::failure("EXIT", "killed"));
  EXPECT_EQ(driver.last<wire::Complete>()->items[0].end, AttemptEnd::timed_out);
  EXPECT_EQ(driver.last<wire::Complete>()->items[0].report.error_code, "TIMED_OUT");
}

TEST(WorkerCore, AHandlerThatIgnoresItsTimeLimitIsWrittenOff) {
  CoreDriver driver{3};
  driver.attach();
  wire::DispatchShared shared = CoreDriver::work();
  shared.time_limit = Millis{1000};
  driver.dispatch(1, shared);
  driver.wait(1000);
  ASSERT_EQ(driver.stopped.size(), 1U);
  EXPECT_EQ(driver.last<wire::Complete>(), nullptr);
  driver.wait(limits::kStopGrace.count());
  ASSERT_NE(driver.last<wire::Complete>(), nullptr);
  EXPECT_EQ(driver.last<wire::Complete>()->items[0].end, AttemptEnd::timed_out);
  EXPECT_EQ(driver.core->credit(), 2U);
  // It comes back at last: its slot is good again, and its outcome counts no more.
  driver.acknowledge();
  driver.sent.clear();
  driver.finish(0);
  EXPECT_EQ(driver.core->credit(), 3U);
  EXPECT_EQ(driver.last<wire::Complete>(), nullptr);
}

TEST(WorkerCore, HalfOfTheSlotsWrittenOffEndsTheWorker) {
  CoreDriver driver{2};
  driver.attach();
  wire::DispatchShared shared = CoreDriver::work();
  shared.time_limit = Millis{1000};
  driver.dispatch(1, shared);
  driver.wait(1000);
  driver.wait(limits::kStopGrace.count());
  driver.acknowledge();
  driver.answer_renewal();
  ASSERT_TRUE(driver.core->ending().has_value());
  EXPECT_EQ(driver.core->ending()->kind, Ending::Kind::broken);
}

TEST(WorkerCore, AResultOverTheBrokersLimitFailsTheJobByName) {
  CoreDriver driver;
  driver.attach();
  driver.dispatch(1);
  driver.finish(0, Outcome::success(std::string(2000, 'x')));
  const auto& item = driver.last<wire::Complete>()->items[0];
  EXPECT_EQ(item.end, AttemptEnd::rejected);
  EXPECT_EQ(item.report.error_code, "RESULT_TOO_LARGE");
}

TEST(WorkerCore, ACommandsOutputOverTheBrokersLimitIsCutAndTheJobSucceeds) {
  CoreDriver driver{2, true};
  driver.attach();
  EXPECT_EQ(driver.core->max_result(), 1024U);
  driver.dispatch(1);
  driver.finish(0, Outcome::success(std::string(1000, 'h') + std::string(1000, 't')));
  const auto& item = driver.last<wire::Complete>()->items[0];
  EXPECT_EQ(item.end, AttemptEnd::succeeded);
  EXPECT_EQ(item.report.result.size(), 1024U);
  EXPECT_TRUE(item.report.result.starts_with("hhh"));
  EXPECT_NE(item.report.result.find("bytes missing"), std::string_view::npos);
  EXPECT_TRUE(item.report.result.ends_with("ttt"));
}

TEST(WorkerCore, AReportTheBrokerRefusesIsFoundAndReplaced) {
  CoreDriver driver{2};
  driver.attach();
  driver.dispatch(2);
  driver.core->finished(driver.started[0], Outcome::success("good"), 10, driver.now);
  driver.finish(1, Outcome::success("bad"));
  wire::Request request = 0;
  ASSERT_EQ(driver.last<wire::Complete>(&request)->items.size(), 2U);
  driver.sent.clear();
  driver.receive(wire::ErrorReply{Code::bad_message, "no"}, request);
  ASSERT_EQ(driver.sent.size(), 2U);  // each alone
  const wire::Request bad = driver.sent[1].request;
  driver.receive(wire::Completed{{Code::ok}}, driver.sent[0].request);
  driver.receive(wire::ErrorReply{Code::bad_message, "no"}, bad);
  wire::Request last = 0;
  EXPECT_EQ(driver.last<wire::Complete>(&last)->items[0].report.error_code, "REPORT_REFUSED");
  driver.receive(wire::Completed{{Code::ok}}, last);
  EXPECT_EQ(driver.core->unacknowledged(), 0U);
}

}  // namespace
}  // namespace rota::worker

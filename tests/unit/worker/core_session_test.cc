#include <gtest/gtest.h>

#include <limits>

#include "tests/unit/worker/core_driver.h"

namespace rota::worker {
namespace {

TEST(WorkerSession, RenewsAtAThirdOfTheLease) {
  CoreDriver driver;
  driver.attach();
  driver.wait(4999);
  EXPECT_EQ(driver.last<wire::Renew>(), nullptr);
  driver.wait(1);
  ASSERT_NE(driver.last<wire::Renew>(), nullptr);
}

TEST(WorkerSession, ReattachesWithThreeListsAndSendsCompletionsAgain) {
  CoreDriver driver{2};
  driver.attach();
  driver.dispatch(5);
  driver.finish(0, Outcome::success("kept"));  // sent, not acknowledged
  driver.lose_connection();
  driver.turn();
  EXPECT_TRUE(driver.reconnect);
  EXPECT_EQ(driver.notices.back().kind, Notice::Kind::lost_contact);
  driver.say_hello();
  EXPECT_EQ(driver.hello.connection, 2U);
  ASSERT_EQ(driver.hello.started.size(), 2U);
  EXPECT_EQ(driver.hello.started[0].token, driver.tokens[1].token);
  EXPECT_EQ(driver.hello.held.size(), 2U);
  ASSERT_EQ(driver.hello.finished.size(), 1U);
  EXPECT_EQ(driver.hello.finished[0].token, driver.tokens[0].token);
  driver.sent.clear();
  driver.welcome();
  EXPECT_EQ(driver.notices.back().kind, Notice::Kind::back);
  driver.wait(limits::kFlushInterval.count());
  ASSERT_NE(driver.last<wire::Complete>(), nullptr);
  EXPECT_EQ(driver.last<wire::Complete>()->items[0].report.result, "kept");
}

TEST(WorkerSession, NothingHeldIsStartedBeforeTheWelcome) {
  CoreDriver driver{1};
  driver.attach();
  driver.dispatch(2);
  driver.lose_connection();
  driver.turn();
  driver.say_hello();
  driver.finish(0);
  EXPECT_EQ(driver.started.size(), 1U);
  driver.welcome();
  EXPECT_EQ(driver.started.size(), 2U);
}

TEST(WorkerSession, VerdictsAreObeyed) {
  CoreDriver driver{1, true};
  driver.attach();
  driver.dispatch(3);
  driver.finish(0);  // finished without acknowledgement; the second runs, the third is held
  driver.receive(wire::ErrorReply{Code::no_session, "say HELLO first"});
  driver.turn();
  driver.say_hello();
  driver.sent.clear();
  driver.welcome(Code::stale, Code::gone, Code::stale);
  EXPECT_EQ(driver.core->held(), 0U);
  EXPECT_EQ(driver.core->unacknowledged(), 0U);
  ASSERT_EQ(driver.stopped.size(), 1U);
  EXPECT_EQ(driver.stopped[0].reason, StopReason::superseded);
  driver.finish(1);
  EXPECT_EQ(driver.last<wire::Complete>(), nullptr);
}

TEST(WorkerSession, GivesUpWhatIsNotStartedBeforeTheLeaseEnds) {
  CoreDriver driver{1};
  driver.attach();
  driver.dispatch(2);
  // Messages come, so the line is not silent, but no renewal is answered.
  for (int second = 0; second < 11; ++second) {
    driver.now.ms += 1000 - (second == 0 ? 100 : 0);
    driver.receive(wire::Pong{});
    if (driver.core->held() == 0) driver.dispatch(1);  // what stands long is handed back; keep one in line
  }
  driver.wait(900);  // 11.8 s: 0.8 of the lease is 12 s
  EXPECT_FALSE(driver.reconnect);
  EXPECT_EQ(driver.core->held(), 1U);
  driver.wait(200);
  EXPECT_EQ(driver.core->held(), 0U);
  EXPECT_EQ(driver.core->started(), 1U);
  EXPECT_TRUE(driver.reconnect);
  driver.say_hello();
  EXPECT_EQ(driver.hello.started.size(), 1U);
  EXPECT_TRUE(driver.hello.held.empty());
}

TEST(WorkerSession, WhatWasGivenUpBehindAHelloIsHandedBack) {
  CoreDriver driver{1};
  driver.attach();
  driver.dispatch(1);
  driver.now.ms += 11'500;
  driver.dispatch(1);
  driver.receive(wire::ErrorReply{Code::no_session, "restarted", Millis{0}});
  driver.say_hello();
  ASSERT_EQ(driver.hello.held.size(), 1U);
  driver.wait(600);  // 0.8 of the lease is 12 s
  EXPECT_EQ(driver.core->held(), 0U);
  driver.sent.clear();
  driver.welcome();  // takes it for held here
  const auto* released = driver.last<wire::Released>();
  ASSERT_NE(released, nullptr);
  ASSERT_EQ(released->jobs.size(), 1U);
  EXPECT_EQ(released->jobs[0], driver.tokens.at(1));
}

TEST(WorkerSession, TheLeaseCountsFromBeforeTheRenewalWasSent) {
  CoreDriver driver{1};
  driver.attach();
  driver.wait(5000);  // renewal sent
  driver.now.ms += 4000;
  driver.answer_renewal();
  // 0.8 of the lease from when it was sent: at 5,000 + 12,000.
  driver.dispatch(2);
  driver.wait(999);
  for (int step = 0; step < 6; ++step) {
    driver.now.ms += 1000;
    driver.receive(wire::Pong{});
    if (driver.core->held() == 0) driver.dispatch(1);
  }
  driver.wait(900);
  EXPECT_EQ(driver.core->held(), 1U);
  EXPECT_FALSE(driver.reconnect);
  driver.wait(101);
  EXPECT_EQ(driver.core->held(), 0U);
  EXPECT_TRUE(driver.reconnect);
}

TEST(WorkerSession, ARunningJobThatAsksForItIsStoppedWithoutContact) {
  CoreDriver driver{2, true};
  driver.attach();
  wire::DispatchShared shared = CoreDriver::work();
  shared.stop_on_disconnect = true;
  driver.dispatch(1, shared);
  driver.dispatch(1);
  driver.lose_connection();
  driver.wait(11'999);
  EXPECT_TRUE(driver.stopped.empty());
  driver.wait(1);
  ASSERT_EQ(driver.stopped.size(), 1U);
  EXPECT_EQ(driver.stopped[0].job, driver.started[0]);
  EXPECT_TRUE(driver.stopped[0].force);
}

TEST(WorkerSession, SilenceOpensANewSocket) {
  CoreDriver driver;
  driver.attach();
  driver.wait(9999);
  EXPECT_FALSE(driver.reconnect);
  driver.wait(1);
  driver.turn();
  EXPECT_TRUE(driver.reconnect);
}

TEST(WorkerSession, AnUnansweredHelloOpensANewSocket) {
  CoreDriver driver;
  Actions actions;
  driver.core->begin(driver.now, actions);
  driver.say_hello();
  driver.wait(limits::kHelloPatience.count() - 1);
  EXPECT_FALSE(driver.reconnect);
  driver.wait(1);
  driver.turn();
  EXPECT_TRUE(driver.reconnect);
  driver.say_hello();
  EXPECT_EQ(driver.hello.connection, 2U);
}

TEST(WorkerSession, RepeatedRefusalsWaitLongerAndLonger) {
  CoreDriver driver;
  driver.attach();
  driver.receive(wire::ErrorReply{Code::no_session, "gone"});
  driver.turn();
  EXPECT_TRUE(driver.reconnect);  // the first time at once
  driver.say_hello();
  driver.welcome();
  driver.receive(wire::ErrorReply{Code::no_session, "gone"});
  driver.turn();
  EXPECT_FALSE(driver.reconnect);
  driver.wait(200);
  EXPECT_TRUE(driver.reconnect);
}

TEST(WorkerSession, ATakenNameEndsTheWorkerNamingTheHolder) {
  CoreDriver driver;
  Actions actions;
  driver.core->begin(driver.now, actions);
  driver.say_hello();
  const wire::Message again = wire::Message{1, wire::ErrorReply{Code::conflict, "w1 is held by host x, pid 3"}};
  driver.core->received(again, driver.now, actions);
  ASSERT_TRUE(driver.core->ending().has_value());
  EXPECT_EQ(driver.core->ending()->kind, Ending::Kind::refused);
  EXPECT_EQ(driver.core->ending()->message, "w1 is held by host x, pid 3");
}

TEST(WorkerSession, DrainHandsBackFinishesAndSaysGoodbye) {
  CoreDriver driver{1};
  driver.attach();
  driver.dispatch(3);
  driver.core->drain(driver.now);
  driver.turn();
  ASSERT_NE(driver.last<wire::Released>(), nullptr);
  EXPECT_EQ(driver.last<wire::Released>()->jobs.size(), 2U);
  EXPECT_EQ(driver.last<wire::Released>()->credit, 0U);
  driver.answer_renewal();
  driver.dispatch(1);  // was on its way: goes back too
  EXPECT_EQ(driver.last<wire::Released>()->jobs.size(), 1U);
  EXPECT_EQ(driver.last<wire::Goodbye>(), nullptr);
  driver.finish(0);
  EXPECT_FALSE(driver.core->ending().has_value());  // not acknowledged yet
  driver.acknowledge();
  ASSERT_NE(driver.last<wire::Goodbye>(), nullptr);
  ASSERT_TRUE(driver.core->ending().has_value());
  EXPECT_EQ(driver.core->ending()->kind, Ending::Kind::drained);
}

TEST(WorkerSession, TheBrokerCanDrainIt) {
  CoreDriver driver{1};
  driver.attach();
  driver.receive(wire::Drain{});
  driver.answer_renewal();
  ASSERT_TRUE(driver.core->ending().has_value());
}

TEST(WorkerSession, KillReportsRunningJobsLost) {
  CoreDriver driver{1, true};
  driver.attach();
  driver.dispatch(2);
  driver.kill();
  ASSERT_EQ(driver.stopped.size(), 1U);
  EXPECT_TRUE(driver.stopped[0].force);
  ASSERT_NE(driver.last<wire::Complete>(), nullptr);
  EXPECT_EQ(driver.last<wire::Complete>()->items[0].end, AttemptEnd::lost);
  EXPECT_EQ(driver.last<wire::Released>()->jobs.size(), 1U);
  driver.wait(limits::kKillPatience.count());
  ASSERT_TRUE(driver.core->ending().has_value());
  EXPECT_EQ(driver.core->ending()->kind, Ending::Kind::killed);
}

TEST(WorkerSession, ALostSpawnerLosesCommandsAndEndsTheWorker) {
  CoreDriver driver{2, true};
  driver.attach();
  driver.dispatch(2);
  driver.lose_executor();
  ASSERT_NE(driver.last<wire::Complete>(), nullptr);
  EXPECT_EQ(driver.last<wire::Complete>()->items.size(), 2U);
  EXPECT_EQ(driver.last<wire::Complete>()->items[0].end, AttemptEnd::lost);
  driver.acknowledge();
  driver.answer_renewal();
  ASSERT_TRUE(driver.core->ending().has_value());
  EXPECT_EQ(driver.core->ending()->kind, Ending::Kind::broken);
}

TEST(WorkerSession, AWorkerWithoutABrokerEndsAtOnceWhenToldToDrain) {
  CoreDriver driver;
  Actions actions;
  driver.core->begin(driver.now, actions);
  driver.wait(1000);
  EXPECT_EQ(driver.notices.back().kind, Notice::Kind::waiting);
  driver.core->drain(driver.now);
  driver.turn();
  ASSERT_TRUE(driver.core->ending().has_value());
}

TEST(WorkerSession, ProgressGoesOutAboutOnceASecond) {
  CoreDriver driver;
  driver.attach();
  driver.dispatch(1);
  driver.core->progress(driver.started[0], 0.5, "half\nway", driver.now);
  driver.turn();
  ASSERT_NE(driver.last<wire::Renew>(), nullptr);
  ASSERT_EQ(driver.last<wire::Renew>()->progress.size(), 1U);
  EXPECT_EQ(driver.last<wire::Renew>()->progress[0].message, "half way");
  driver.sent.clear();
  driver.core->progress(driver.started[0], 0.6, "on", driver.now);
  driver.wait(999);
  EXPECT_EQ(driver.last<wire::Renew>(), nullptr);
  driver.wait(1);
  EXPECT_NE(driver.last<wire::Renew>(), nullptr);
}

TEST(WorkerSession, ProgressThatIsNoNumberDoesNotSpoilTheRenewal) {
  CoreDriver driver;
  driver.attach();
  driver.dispatch(1);
  driver.core->progress(driver.started[0], std::numeric_limits<double>::quiet_NaN(), "0/0", driver.now);
  driver.turn();  // decodes it as the broker does
  ASSERT_NE(driver.last<wire::Renew>(), nullptr);
  ASSERT_EQ(driver.last<wire::Renew>()->progress.size(), 1U);
  EXPECT_EQ(driver.last<wire::Renew>()->progress[0].fraction, 0.0);
}

TEST(WorkerSession, ASocketThatCannotBeMadeIsWantedAgainLater) {
  CoreDriver driver;
  driver.attach();
  driver.dispatch(1);
  driver.lose_connection();
  ASSERT_TRUE(driver.reconnect);
  for (int tries = 0; tries < 10; ++tries) {
    driver.reconnect = false;
    driver.fail_to_open();
    EXPECT_FALSE(driver.core->wants_hello());
    EXPECT_GT(driver.core->next_deadline(), driver.now);
    driver.wait(1);
    EXPECT_FALSE(driver.reconnect);
    driver.wait(limits::kReconnectMost.count());
    EXPECT_TRUE(driver.reconnect);
  }
  driver.say_hello();
  EXPECT_EQ(driver.hello.started.size(), 1U);
  driver.welcome();
  EXPECT_TRUE(driver.core->attached());
}

}  // namespace
}  // namespace rota::worker

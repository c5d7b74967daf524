#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>
#include <vector>

#include "tests/unit/client/client_fixture.h"

// Waiting for the end of jobs.
namespace rota::client {
namespace {

using ::testing::HasSubstr;
using namespace std::chrono_literals;

TEST_F(ClientTest, WaitReturnsWhenAllAreFinal) {
  broker.finish_at_once = false;
  Client client = connect();
  const Result<Submission> submitted = client.submit(noop_job());
  std::jthread finisher([&] {
    broker.await_waits(1);
    broker.finish(submitted->id);
  });
  int finals = 0;
  const std::vector<JobId> ids{submitted->id, submitted->id};
  EXPECT_TRUE(client.wait(ids, Millis{-1}, false, [&](const FinishedJob&) { ++finals; }).ok());
  EXPECT_EQ(finals, 1);
}

TEST_F(ClientTest, WaitPastItsTimeSaysHowManyAreLeft) {
  Client client = connect();
  const std::vector<JobId> ids = unfinished_job(client);
  const Status waited = client.wait(ids, 50ms, false, nullptr);
  ASSERT_FALSE(waited.ok());
  EXPECT_EQ(waited.error().code, Code::timed_out);
  EXPECT_THAT(waited.error().message, HasSubstr("1 of 1"));
  EXPECT_EQ(client.watching(), 0U);
}

TEST_F(ClientTest, WaitingAgainAndAgainAsksTheBrokerOnce) {
  Client client = connect();
  const std::vector<JobId> ids = unfinished_job(client);
  for (int i = 0; i < 20; ++i) EXPECT_EQ(client.wait(ids, 1ms, false, nullptr).error().code, Code::timed_out);
  broker.await_waits(1);
  broker.finish(ids.front());
  int finals = 0;
  EXPECT_TRUE(client.wait(ids, Millis{-1}, false, [&](const FinishedJob&) { ++finals; }).ok());
  EXPECT_EQ(finals, 1);
  EXPECT_EQ(broker.waits(), 1);
}

TEST_F(ClientTest, WaitingNowWithAndNowWithoutTheResultAsksTheBrokerTwice) {
  Client client = connect();
  const std::vector<JobId> ids = unfinished_job(client);
  for (int i = 0; i < 20; ++i) EXPECT_EQ(client.wait(ids, 1ms, i % 2 == 1, nullptr).error().code, Code::timed_out);
  broker.await_waits(2);
  EXPECT_TRUE(client.ping().ok());
  EXPECT_EQ(broker.waits(), 2);
}

TEST_F(ClientTest, ResultComesThoughTheJobWasWaitedForWithoutItBefore) {
  Client client = connect();
  const std::vector<JobId> ids = unfinished_job(client);
  EXPECT_EQ(client.wait(ids, 1ms, false, nullptr).error().code, Code::timed_out);
  std::jthread finisher([&] {
    broker.await_waits(2);
    broker.finish(ids.front());
  });
  int finals = 0;
  EXPECT_TRUE(client
                  .wait(ids, Millis{-1}, true,
                        [&](const FinishedJob& job) {
                          ++finals;
                          EXPECT_EQ(job.result, "done");
                        })
                  .ok());
  EXPECT_EQ(finals, 1);
}

TEST_F(ClientTest, EndToldToAnOlderQuestionIsNotTheAnswerToANewerOne) {
  Client client = connect();
  const std::vector<JobId> ids = unfinished_job(client);
  EXPECT_EQ(client.wait(ids, 1ms, false, nullptr).error().code, Code::timed_out);
  std::jthread finisher([&] {
    broker.await_waits(2);
    broker.tell_oldest_failed(ids.front());
    broker.finish(ids.front());
  });
  EXPECT_TRUE(
      client.wait(ids, Millis{-1}, true, [](const FinishedJob& job) { EXPECT_EQ(job.state, JobState::succeeded); }).ok());
}

TEST_F(ClientTest, EndToldWhileNobodyWaitedIsAskedForAgain) {
  Client client = connect();
  const std::vector<JobId> ids = unfinished_job(client);
  EXPECT_EQ(client.wait(ids, 1ms, false, nullptr).error().code, Code::timed_out);
  broker.await_waits(1);
  broker.finish(ids.front());
  EXPECT_TRUE(client.ping().ok());  // its answer comes behind the notice
  EXPECT_TRUE(client.wait(ids, Millis{-1}, false, nullptr).ok());
}

TEST_F(ClientTest, WaitRefusedForNowIsAskedAgain) {
  Client client = connect();
  const Result<Submission> submitted = client.submit(noop_job());
  broker.refuse_messages = 1;
  const std::vector<JobId> ids{submitted->id};
  EXPECT_TRUE(client.wait(ids, Millis{-1}, true, [](const FinishedJob& job) { EXPECT_EQ(job.result, "done"); }).ok());
}

TEST_F(ClientTest, UnknownJobEndsAWaitWithItsReason) {
  Client client = connect();
  const std::vector<JobId> ids{client.make_id("default")};
  EXPECT_TRUE(client
                  .wait(ids, Millis{-1}, false,
                        [](const FinishedJob& job) {
                          EXPECT_EQ(job.code, Code::not_found);
                          EXPECT_EQ(job.message, "never known here");
                        })
                  .ok());
}

TEST_F(ClientTest, WaitSurvivesABrokerRestart) {
  Client client = connect();
  const std::vector<JobId> ids = unfinished_job(client);
  std::jthread restarter([&] {
    broker.await_waits(1);
    broker.stop();
    broker.start();
    broker.await_waits(2);
    broker.finish(ids.front());
  });
  EXPECT_TRUE(client.wait(ids, Millis{-1}, false, nullptr).ok());
  EXPECT_EQ(lost.size(), 1U);
  EXPECT_EQ(back, 1);
}

}  // namespace
}  // namespace rota::client

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <string>
#include <vector>

#include "tests/unit/server/engine_rig.h"

namespace rota::server {
namespace {

constexpr Route kClient = 1;
constexpr Route kWorker = 2;

std::vector<JobId> ids_of(const wire::Listed& listed) {
  std::vector<JobId> ids;
  for (const wire::JobInfo& job : listed.jobs) ids.push_back(job.id);
  return ids;
}

class ListTest : public testing::Test {
 protected:
  void SetUp() override { rig_.connect_client(kClient); }

  std::vector<JobId> submit(std::size_t count, const wire::JobOptions& options = {}) {
    std::vector<JobId> ids;
    for (std::size_t i = 0; i < count; ++i) ids.push_back(rig_.new_id());
    rig_.turn(Side::client, kClient, EngineRig::submit(++request_, ids, "data", options));
    rig_.settle();
    EXPECT_NE(rig_.answer(kClient).as<wire::Submitted>(), nullptr);
    rig_.pass(Millis{10});
    return ids;
  }
  // Runs everything that is ready.
  void run_all() {
    if (!has_worker_) rig_.connect_worker(kWorker, "w1", 1000);
    has_worker_ = true;
    rig_.end_turn();
    rig_.settle();
    while (rig_.unread(kWorker) > 0) {
      const Answer answer = rig_.answer(kWorker);
      if (const auto* dispatch = answer.as<wire::Dispatch>()) {
        rig_.turn(Side::worker, kWorker, EngineRig::complete(++request_, *dispatch, 1000));
        rig_.settle();
      }
    }
  }
  // What became final long ago is in the store only.
  void forget_recents() {
    rig_.pass(limits::kRecentHorizon + Millis{1000});
    rig_.end_turn();
    rig_.settle();
  }
  Answer list(const wire::List& list) {
    rig_.turn(Side::client, kClient, {++request_, list});
    drive();
    return rig_.answer(kClient);
  }
  void drive() {
    for (int turns = 0; rig_.unread(kClient) == 0; ++turns) {
      ROTA_CHECK(turns < 1000);
      rig_.end_turn();
      rig_.settle();
    }
  }
  static std::vector<JobId> newest_first(std::vector<JobId> ids) {
    std::sort(ids.begin(), ids.end(), std::greater<>());
    return ids;
  }
  static std::vector<JobId> join(std::vector<JobId> a, const std::vector<JobId>& b) {
    a.insert(a.end(), b.begin(), b.end());
    return newest_first(std::move(a));
  }

  EngineRig rig_{store::make_memory({}, 64 * limits::MiB)};
  wire::Request request_ = 100;
  bool has_worker_ = false;
};

TEST_F(ListTest, LiveRecentAndStoredJobsComeInOneOrder) {
  const std::vector<JobId> stored = submit(5);
  run_all();
  forget_recents();
  const std::vector<JobId> recent = submit(4);
  run_all();
  wire::JobOptions memory;
  memory.durability = Durability::memory;
  const std::vector<JobId> volatile_ones = submit(3, memory);
  run_all();
  wire::JobOptions later;
  later.delay = Millis{3'600'000};
  const std::vector<JobId> waiting = submit(2, later);
  const Answer all = list({});
  const auto* listed = all.as<wire::Listed>();
  ASSERT_NE(listed, nullptr);
  EXPECT_TRUE(listed->cursor.empty());
  EXPECT_EQ(ids_of(*listed), join(join(stored, recent), join(volatile_ones, waiting)));
  EXPECT_EQ(listed->jobs.front().state, JobState::scheduled);
  EXPECT_EQ(listed->jobs.back().state, JobState::succeeded);
  EXPECT_EQ(listed->jobs.back().result_size, 4U);
  EXPECT_TRUE(listed->jobs.back().report.result.empty());
}

// The disk is slow: by the time that what they were alive as was read the core has forgotten them.
TEST_F(ListTest, JobsThatEndAndAreForgottenWhileTheyAreReadAreListed) {
  rig_.connect_worker(kWorker, "w1", 1000);
  const std::vector<JobId> jobs = submit(3);
  const Answer dispatched = rig_.answer(kWorker);
  ASSERT_NE(dispatched.as<wire::Dispatch>(), nullptr);
  rig_.turn(Side::client, kClient, {++request_, wire::List{}});
  rig_.read();                                  // of the finished ones
  for (int i = 0; i < 3; ++i) rig_.end_turn();  // the next read stays under way
  ASSERT_EQ(rig_.unread(kClient), 0U);
  rig_.turn(Side::worker, kWorker, EngineRig::complete(++request_, *dispatched.as<wire::Dispatch>(), 1000));
  rig_.commit();
  rig_.pass(limits::kRecentHorizon + Millis{1000});
  rig_.end_turn();
  drive();
  const Answer all = rig_.answer(kClient);
  EXPECT_EQ(ids_of(*all.as<wire::Listed>()), newest_first(jobs));
}

TEST_F(ListTest, PagesGoOnWhereTheLastEndedAndMissNothing) {
  std::vector<JobId> all = submit(30);
  run_all();
  forget_recents();
  wire::JobOptions later;
  later.delay = Millis{3'600'000};
  all = join(all, submit(25, later));
  std::vector<JobId> seen;
  std::string cursor;
  wire::List ask;
  ask.limit = 7;
  do {
    ask.cursor = cursor;
    const Answer answer = list(ask);
    const auto* listed = answer.as<wire::Listed>();
    ASSERT_NE(listed, nullptr);
    EXPECT_LE(listed->jobs.size(), 7U);
    for (const JobId& id : ids_of(*listed)) seen.push_back(id);
    cursor = listed->cursor;
    submit(1, later);  // those that come later are not in the way
  } while (!cursor.empty());
  EXPECT_EQ(seen, all);
}

TEST_F(ListTest, FiltersByStateQueueTypeAndAge) {
  const std::vector<JobId> done = submit(3);
  run_all();
  rig_.pass(Millis{60'000});
  wire::JobOptions later;
  later.delay = Millis{3'600'000};
  const std::vector<JobId> waiting = submit(2, later);
  wire::List ask;
  ask.states = state_bit(JobState::succeeded);
  EXPECT_EQ(ids_of(*list(ask).as<wire::Listed>()), newest_first(done));
  ask.states = state_bit(JobState::scheduled) | state_bit(JobState::failed);
  EXPECT_EQ(ids_of(*list(ask).as<wire::Listed>()), newest_first(waiting));
  ask = {};
  ask.since = Millis{30'000};
  EXPECT_EQ(ids_of(*list(ask).as<wire::Listed>()), newest_first(waiting));
  ask = {};
  ask.queue = "default";
  ask.type = "other";
  EXPECT_TRUE(list(ask).as<wire::Listed>()->jobs.empty());
}

TEST_F(ListTest, UnknownQueueIsNotFound) {
  wire::List ask;
  ask.queue = "unheard-of";
  const Answer answer = list(ask);
  ASSERT_NE(answer.as<wire::ErrorReply>(), nullptr);
  EXPECT_EQ(answer.as<wire::ErrorReply>()->code, Code::not_found);
}

TEST_F(ListTest, CursorOfAnotherListIsRefused) {
  submit(3);
  wire::List ask;
  ask.limit = 1;
  const Answer first = list(ask);
  const std::string cursor(first.as<wire::Listed>()->cursor);
  ASSERT_FALSE(cursor.empty());
  ask.cursor = cursor;
  ask.type = "work";
  const Answer second = list(ask);
  ASSERT_NE(second.as<wire::ErrorReply>(), nullptr);
  EXPECT_EQ(second.as<wire::ErrorReply>()->code, Code::bad_message);
  ask.type = {};
  ask.cursor = "nonsense";
  EXPECT_NE(list(ask).as<wire::ErrorReply>(), nullptr);
}

TEST_F(ListTest, EndingFindsLiveAndStoredJobs) {
  const std::vector<JobId> stored = submit(20);
  run_all();
  forget_recents();
  wire::JobOptions later;
  later.delay = Millis{3'600'000};
  const std::vector<JobId> waiting = submit(20, later);
  for (const JobId& id : {stored[7], waiting[3]}) {
    std::string digits = to_string(id);
    std::erase(digits, '-');
    const std::string ending = digits.substr(24);
    wire::List ask;
    ask.ending = ending;
    const Answer answer = list(ask);
    ASSERT_NE(answer.as<wire::Listed>(), nullptr);
    EXPECT_EQ(ids_of(*answer.as<wire::Listed>()), std::vector<JobId>{id});
    EXPECT_TRUE(answer.as<wire::Listed>()->cursor.empty());
  }
}

TEST_F(ListTest, JobThatEndsWhileItIsListedIsNotMissed) {
  const std::vector<JobId> ids = submit(3);
  rig_.connect_worker(kWorker, "w1", 10);
  has_worker_ = true;
  const Answer dispatched = rig_.answer(kWorker);
  const auto* dispatch = dispatched.as<wire::Dispatch>();
  ASSERT_NE(dispatch, nullptr);
  rig_.turn(Side::client, kClient, {++request_, wire::List{}});
  ASSERT_EQ(rig_.port().reads(), 1U);  // the store is asked for finished ones
  rig_.read();
  rig_.turn(Side::worker, kWorker, EngineRig::complete(++request_, *dispatch, 10));
  drive();
  const Answer answer = rig_.answer(kClient);
  ASSERT_NE(answer.as<wire::Listed>(), nullptr);
  EXPECT_EQ(ids_of(*answer.as<wire::Listed>()), newest_first(ids));
}

}  // namespace
}  // namespace rota::server

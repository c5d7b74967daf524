#include <gtest/gtest.h>

#include "common/base/peer_limits.h"
#include "tests/unit/server/engine_rig.h"

// WAIT, GET and the requests that have to look into the store first.
namespace rota::server {
namespace {

constexpr Route kClient = 1;
constexpr Route kWorker = 2;

class JobReadsTest : public testing::Test {
 protected:
  EngineRig rig{store::make_memory({}, 256 * limits::MiB)};

  void SetUp() override { rig.connect_client(kClient); }

  JobId submitted(bool notify = false) {
    const JobId id = rig.new_id();
    wire::Message message = EngineRig::submit(10, {id});
    std::get<wire::Submit>(message.body).notify = notify;
    rig.turn(Side::client, kClient, message);
    rig.settle();
    EXPECT_NE(nullptr, rig.answer(kClient).as<wire::Submitted>());
    return id;
  }
  // Runs what the worker was given.
  void run(std::string_view result = "done") {
    if (!connected_) rig.connect_worker(kWorker);
    connected_ = true;
    const Answer answer = rig.answer(kWorker);
    ASSERT_NE(nullptr, answer.as<wire::Dispatch>());
    rig.turn(Side::worker, kWorker, EngineRig::complete(20, *answer.as<wire::Dispatch>(), 1, result));
    rig.settle();
    ASSERT_NE(nullptr, rig.answer(kWorker).as<wire::Completed>());
  }
  void wait(const JobId& id, wire::Request request = 30) {
    rig.turn(Side::client, kClient, {request, wire::Wait{true, {id}}});
  }

 private:
  bool connected_ = false;
};

TEST_F(JobReadsTest, WaitForALiveJobIsAnsweredAfterTheCommitOfItsEnd) {
  const JobId id = submitted();
  wait(id);
  EXPECT_EQ(0U, rig.unread(kClient));
  run("the result");
  const Answer answer = rig.answer(kClient);
  ASSERT_NE(nullptr, answer.as<wire::Notify>());
  EXPECT_EQ(30U, answer.request());
  const wire::NotifyItem& item = answer.as<wire::Notify>()->items.at(0);
  EXPECT_EQ(id, item.id);
  EXPECT_EQ(JobState::succeeded, item.state);
  EXPECT_EQ("the result", item.report.result);
  EXPECT_EQ("w1", item.report.worker);
}

TEST_F(JobReadsTest, SubmitWithNotifyIsToldTheEnd) {
  (void)submitted(true);
  run();
  const Answer answer = rig.answer(kClient);
  ASSERT_NE(nullptr, answer.as<wire::Notify>());
  EXPECT_EQ(10U, answer.request());
}

TEST_F(JobReadsTest, WaitForAFinishedJobIsAnsweredFromTheStore) {
  const JobId id = submitted();
  run("kept");
  for (const Millis later : {Millis{0}, Millis{60'000}}) {  // known to the core, and long gone from it
    rig.pass(later);
    rig.end_turn();
    rig.connect_client(kClient);
    wait(id);
    EXPECT_EQ(0U, rig.unread(kClient));
    ASSERT_EQ(1U, rig.port().reads());
    rig.settle();
    const Answer answer = rig.answer(kClient);
    ASSERT_NE(nullptr, answer.as<wire::Notify>());
    EXPECT_EQ("kept", answer.as<wire::Notify>()->items.at(0).report.result);
  }
}

TEST_F(JobReadsTest, WaitForAnUnknownJobSaysSo) {
  wait(rig.new_id());
  rig.settle();
  const Answer answer = rig.answer(kClient);
  ASSERT_NE(nullptr, answer.as<wire::Notify>());
  EXPECT_EQ(Code::not_found, answer.as<wire::Notify>()->items.at(0).code);
  EXPECT_FALSE(answer.as<wire::Notify>()->items.at(0).message.empty());
}

TEST_F(JobReadsTest, ResubmitOfAFinishedJobWithNotifyIsToldItsEndAgain) {
  const JobId id = submitted();
  run("kept");
  rig.pass(Millis{60'000});
  rig.end_turn();
  rig.connect_client(kClient);
  wire::Message message = EngineRig::submit(40, {id});
  std::get<wire::Submit>(message.body).notify = true;
  rig.turn(Side::client, kClient, message);
  EXPECT_EQ(0U, rig.unread(kClient));
  rig.settle();
  const Answer submitted_again = rig.answer(kClient);
  ASSERT_NE(nullptr, submitted_again.as<wire::Submitted>());
  EXPECT_EQ(Code::duplicate, submitted_again.as<wire::Submitted>()->items.at(0).code);
  const Answer notice = rig.answer(kClient);
  ASSERT_NE(nullptr, notice.as<wire::Notify>());
  EXPECT_EQ("kept", notice.as<wire::Notify>()->items.at(0).report.result);
}

TEST_F(JobReadsTest, RequestsBehindAParkedOneKeepTheirOrder) {
  const JobId id = submitted();
  run();
  rig.pass(Millis{60'000});
  rig.end_turn();
  rig.connect_client(kClient);
  wire::Retry retry;
  retry.items.push_back({id, std::nullopt});
  rig.turn(Side::client, kClient, {50, retry});
  rig.turn(Side::client, kClient, EngineRig::submit(51, {rig.new_id()}));
  rig.turn(Side::client, kClient, {52, wire::Ping{}});
  rig.settle();
  EXPECT_EQ(52U, rig.answer(kClient).request());  // overtakes
  EXPECT_EQ(50U, rig.answer(kClient).request());
  EXPECT_EQ(51U, rig.answer(kClient).request());
}

TEST_F(JobReadsTest, RetriedJobIsDispatchedWithItsBody) {
  const JobId id = submitted();
  run();
  rig.pass(Millis{10'000});
  rig.turn(Side::worker, kWorker, {0, wire::Renew{1, 1, {}}});
  rig.settle();
  ASSERT_NE(nullptr, rig.answer(kWorker).as<wire::Renewed>());
  wire::Retry retry;
  retry.items.push_back({id, std::nullopt});
  rig.turn(Side::client, kClient, {50, retry});
  rig.settle();
  const Answer answer = rig.answer(kClient);
  ASSERT_NE(nullptr, answer.as<wire::Results>());
  EXPECT_EQ(Code::ok, answer.as<wire::Results>()->items.at(0).code);
  const Answer dispatch = rig.answer(kWorker);
  ASSERT_NE(nullptr, dispatch.as<wire::Dispatch>());
  EXPECT_EQ("data", dispatch.as<wire::Dispatch>()->items.at(0).payload);
  EXPECT_EQ(2U, dispatch.as<wire::Dispatch>()->items.at(0).attempt);
}

TEST_F(JobReadsTest, GetSaysWhyAReadyJobDoesNotRun) {
  const JobId id = submitted();
  rig.turn(Side::client, kClient, {60, wire::Get{false, {id, rig.new_id()}}});
  rig.settle();
  const Answer answer = rig.answer(kClient);
  ASSERT_NE(nullptr, answer.as<wire::Jobs>());
  const wire::Jobs& jobs = *answer.as<wire::Jobs>();
  EXPECT_EQ("no connected worker serves work on default", jobs.jobs.at(0).waiting_for);
  EXPECT_EQ(JobState::ready, jobs.jobs.at(0).state);
  EXPECT_EQ(Code::not_found, jobs.jobs.at(1).code);
}

TEST_F(JobReadsTest, GetTellsNameAndResultOfAFinishedJob) {
  const JobId id = rig.new_id();
  wire::Message message = EngineRig::submit(10, {id});
  std::get<wire::Submit>(message.body).shared[0].spec.name = "nightly";
  rig.turn(Side::client, kClient, message);
  rig.settle();
  (void)rig.answer(kClient);
  rig.turn(Side::client, kClient, {59, wire::Get{true, {id}}});
  rig.settle();
  EXPECT_EQ("nightly", rig.answer(kClient).as<wire::Jobs>()->jobs.at(0).name);
  run("output");
  rig.turn(Side::client, kClient, {60, wire::Get{true, {id}}});
  rig.settle();
  const Answer answer = rig.answer(kClient);
  const wire::JobInfo& job = answer.as<wire::Jobs>()->jobs.at(0);
  EXPECT_EQ("nightly", job.name);
  EXPECT_EQ("output", job.report.result);
  EXPECT_EQ(6U, job.result_size);
  EXPECT_EQ(JobState::succeeded, job.state);
}

TEST_F(JobReadsTest, CancelledJobTellsItsWaitersWhy) {
  const JobId id = submitted();
  wait(id);
  rig.turn(Side::client, kClient, {70, wire::Cancel{{id}}});
  rig.settle();
  ASSERT_NE(nullptr, rig.answer(kClient).as<wire::Results>());
  const Answer answer = rig.answer(kClient);
  const wire::NotifyItem& item = answer.as<wire::Notify>()->items.at(0);
  EXPECT_EQ(JobState::cancelled, item.state);
  EXPECT_EQ("CANCELLED", item.report.error_code);
}

TEST_F(JobReadsTest, ManyNoticesAreToldOverTurnsAndNoneBeforeTheCommit) {
  constexpr std::size_t kRequests = 10, kAll = kRequests * limits::kMaxBatch;
  static_assert(kAll > 2 * limits::kTurnNotices && kAll < 3 * limits::kTurnNotices);
  std::vector<JobId> ids;
  for (std::size_t i = 0; i < limits::kMaxBatch; ++i) ids.push_back(rig.new_id());
  rig.turn(Side::client, kClient, EngineRig::submit(10, ids));
  rig.settle();
  (void)rig.answer(kClient);
  for (wire::Request request = 30; request < 30 + kRequests; ++request) {
    rig.turn(Side::client, kClient, {request, wire::Wait{false, ids}});
  }
  const auto due = [this] { return rig.engine().next_deadline(rig.now()) <= rig.now().steady; };
  const auto told = [this] {
    std::size_t items = 0;
    while (rig.unread(kClient) > 0) items += rig.answer(kClient).as<wire::Notify>()->items.size();
    return items;
  };
  rig.turn(Side::client, kClient, {70, wire::Cancel{ids}});
  EXPECT_EQ(kAll - limits::kTurnNotices, rig.engine().waiters().size());
  EXPECT_TRUE(due());
  rig.end_turn();  // the commit is still under way
  EXPECT_EQ(kAll - 2 * limits::kTurnNotices, rig.engine().waiters().size());
  EXPECT_EQ(0U, rig.unread(kClient));
  rig.engine().begin_shutdown();
  rig.end_turn();
  EXPECT_EQ(0U, rig.unread(kClient));
  EXPECT_FALSE(rig.engine().is_settled());
  rig.commit();
  EXPECT_NE(nullptr, rig.answer(kClient).as<wire::Results>());
  EXPECT_EQ(kAll, told());
  EXPECT_EQ(0U, rig.engine().waiters().size());
  EXPECT_FALSE(due());
  EXPECT_TRUE(rig.engine().is_settled());
}

TEST_F(JobReadsTest, ABrokerThatStopsStillTellsWhatItsTurnsLeft) {
  constexpr std::size_t kRequests = 10;
  std::vector<JobId> ids;
  for (std::size_t i = 0; i < limits::kMaxBatch; ++i) ids.push_back(rig.new_id());
  rig.turn(Side::client, kClient, EngineRig::submit(10, ids));
  rig.settle();
  for (wire::Request request = 30; request < 30 + kRequests; ++request) {
    rig.turn(Side::client, kClient, {request, wire::Wait{false, ids}});
  }
  rig.turn(Side::client, kClient, {70, wire::Cancel{ids}});
  rig.commit();  // and a turn
  rig.engine().begin_shutdown();
  EXPECT_FALSE(rig.engine().is_settled());
  EXPECT_TRUE(rig.engine().next_deadline(rig.now()) <= rig.now().steady);
  rig.end_turn();
  EXPECT_TRUE(rig.engine().is_settled());
  EXPECT_EQ(0U, rig.engine().waiters().size());
}

TEST_F(JobReadsTest, PurgeForgetsQueuedJobsInSlicesAndCountsThem) {
  std::vector<JobId> ids;
  for (int i = 0; i < 2500; ++i) ids.push_back(rig.new_id());
  rig.turn(Side::client, kClient, EngineRig::submit(10, ids));
  rig.settle();
  (void)rig.answer(kClient);
  wire::Admin admin;
  admin.verb = "purge";
  admin.arguments = {{"queue", "default"}};
  rig.turn(Side::client, kClient, {80, admin});
  for (int turns = 0; turns < 10; ++turns) {
    rig.end_turn();
    rig.settle();
  }
  const Answer answer = rig.answer(kClient);
  ASSERT_NE(nullptr, answer.as<wire::AdminReply>());
  EXPECT_EQ(2500, std::get<std::int64_t>(answer.as<wire::AdminReply>()->rows.at(0).at(0).value));
  EXPECT_EQ(0U, rig.core().live_jobs());
}

}  // namespace
}  // namespace rota::server

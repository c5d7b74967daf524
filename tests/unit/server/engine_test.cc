#include "broker/server/engine.h"

#include <gtest/gtest.h>

#include "tests/unit/server/engine_rig.h"

namespace rota::server {
namespace {

constexpr Route kClient = 1;
constexpr Route kWorker = 2;
constexpr Route kOther = 3;

class EngineTest : public testing::Test {
 protected:
  EngineRig rig{store::make_memory({}, 256 * limits::MiB)};

  // Submits one job and lets a connected worker have it.
  wire::DispatchItem dispatched_job(JobId id, std::uint64_t& epoch) {
    rig.turn(Side::client, kClient, EngineRig::submit(10, {id}));
    rig.settle();
    EXPECT_NE(nullptr, rig.answer(kClient).as<wire::Submitted>());
    const Answer answer = rig.answer(kWorker);
    const auto* dispatch = answer.as<wire::Dispatch>();
    EXPECT_NE(nullptr, dispatch);
    epoch = dispatch->epoch;
    wire::DispatchItem item = dispatch->items.at(0);
    item.payload = {};
    return item;
  }
  static wire::Dispatch dispatch_of(const wire::DispatchItem& item, std::uint64_t epoch) {
    wire::Dispatch dispatch;
    dispatch.epoch = epoch;
    dispatch.items.push_back(item);
    return dispatch;
  }
};

TEST_F(EngineTest, SubmitIsAcknowledgedOnlyAfterItsCommit) {
  rig.connect_client(kClient);
  rig.turn(Side::client, kClient, EngineRig::submit(5, {rig.new_id()}));
  ASSERT_TRUE(rig.port().has_commit());
  EXPECT_EQ(0U, rig.unread(kClient));
  rig.end_turn();
  EXPECT_EQ(0U, rig.unread(kClient));
  rig.commit();
  const Answer answer = rig.answer(kClient);
  ASSERT_NE(nullptr, answer.as<wire::Submitted>());
  EXPECT_EQ(5U, answer.request());
  EXPECT_EQ(Code::ok, answer.as<wire::Submitted>()->items.at(0).code);
}

TEST_F(EngineTest, NextBatchGathersWhileOneIsCommitted) {
  rig.connect_client(kClient);
  rig.turn(Side::client, kClient, EngineRig::submit(5, {rig.new_id()}));
  rig.turn(Side::client, kClient, EngineRig::submit(6, {rig.new_id()}));
  rig.turn(Side::client, kClient, EngineRig::submit(7, {rig.new_id()}));
  rig.commit();
  EXPECT_EQ(1U, rig.unread(kClient));
  ASSERT_TRUE(rig.port().has_commit());
  rig.commit();
  EXPECT_EQ(3U, rig.unread(kClient));
  EXPECT_FALSE(rig.port().has_commit());
}

TEST_F(EngineTest, ReadsDoNotOvertakeTheStateTheyShow) {
  rig.connect_client(kClient);
  rig.connect_client(kOther);
  rig.turn(Side::client, kClient, EngineRig::submit(5, {rig.new_id()}));
  wire::Admin admin;
  admin.verb = "queues";
  rig.turn(Side::client, kOther, {6, admin});
  EXPECT_EQ(0U, rig.unread(kOther));
  rig.settle();
  EXPECT_EQ(1U, rig.unread(kOther));
}

TEST_F(EngineTest, DispatchLeavesWithTheCommitOfItsLease) {
  rig.connect_client(kClient);
  rig.connect_worker(kWorker);
  rig.turn(Side::client, kClient, EngineRig::submit(5, {rig.new_id()}, "hello"));
  EXPECT_EQ(0U, rig.unread(kWorker));
  rig.commit();
  const Answer answer = rig.answer(kWorker);
  const auto* dispatch = answer.as<wire::Dispatch>();
  ASSERT_NE(nullptr, dispatch);
  EXPECT_EQ("hello", dispatch->items.at(0).payload);
  EXPECT_EQ("work", dispatch->shared.at(0).type);
  EXPECT_EQ(0U, rig.port().reads());
}

TEST_F(EngineTest, BodyOfAnEarlierBatchIsReadFromTheStore) {
  rig.connect_client(kClient);
  rig.turn(Side::client, kClient, EngineRig::submit(5, {rig.new_id(), rig.new_id()}, "from the store"));
  rig.settle();
  rig.turn(Side::worker, kWorker, {1, EngineRig::worker_hello("w1", 2)});
  ASSERT_EQ(1U, rig.port().reads());
  rig.commit();
  EXPECT_EQ(0U, rig.unread(kWorker));
  rig.read();
  ASSERT_NE(nullptr, rig.answer(kWorker).as<wire::Welcome>());
  const Answer answer = rig.answer(kWorker);
  const auto* dispatch = answer.as<wire::Dispatch>();
  ASSERT_NE(nullptr, dispatch);
  ASSERT_EQ(2U, dispatch->items.size());
  EXPECT_EQ(1U, dispatch->shared.size());
  EXPECT_EQ("from the store", dispatch->items[1].payload);
}

TEST_F(EngineTest, ResubmitAfterALostAcknowledgementIsADuplicate) {
  rig.connect_client(kClient);
  const JobId id = rig.new_id();
  rig.turn(Side::client, kClient, EngineRig::submit(5, {id}));
  rig.settle();
  (void)rig.answer(kClient);
  rig.turn(Side::client, kClient, EngineRig::submit(6, {id}));
  rig.settle();
  const Answer answer = rig.answer(kClient);
  EXPECT_EQ(Code::duplicate, answer.as<wire::Submitted>()->items.at(0).code);
  EXPECT_EQ(1U, rig.core().live_jobs());
}

TEST_F(EngineTest, ResubmitOfAnUncommittedJobIsAnsweredAfterThatCommit) {
  rig.connect_client(kClient);
  const JobId id = rig.new_id();
  rig.turn(Side::client, kClient, EngineRig::submit(5, {id}));
  rig.turn(Side::client, kClient, EngineRig::submit(6, {id}));
  EXPECT_EQ(0U, rig.unread(kClient));
  rig.settle();
  EXPECT_EQ(2U, rig.unread(kClient));
}

TEST_F(EngineTest, CompletionIsAcknowledgedAfterItsCommitAndRepeatedForNothing) {
  rig.connect_client(kClient);
  rig.connect_worker(kWorker);
  std::uint64_t epoch = 0;
  const wire::DispatchItem job = dispatched_job(rig.new_id(), epoch);
  const wire::Message complete = EngineRig::complete(20, dispatch_of(job, epoch), 1);
  rig.turn(Side::worker, kWorker, complete);
  EXPECT_EQ(0U, rig.unread(kWorker));
  rig.settle();
  const Answer first = rig.answer(kWorker);
  EXPECT_EQ(std::vector<Code>{Code::ok}, first.as<wire::Completed>()->codes);
  const std::uint64_t completed = rig.core().counters().completed;
  rig.turn(Side::worker, kWorker, complete);
  rig.settle();
  const Answer second = rig.answer(kWorker);
  EXPECT_EQ(std::vector<Code>{Code::ok}, second.as<wire::Completed>()->codes);
  EXPECT_EQ(completed, rig.core().counters().completed);
}

TEST_F(EngineTest, LateCompletionOfARedispatchedJobIsStale) {
  rig.connect_client(kClient);
  rig.connect_worker(kWorker);
  std::uint64_t epoch = 0;
  const wire::DispatchItem job = dispatched_job(rig.new_id(), epoch);
  rig.connect_worker(kOther, "w2");
  for (int i = 0; i < 6; ++i) {  // w2 renews, w1 is silent beyond its lease
    rig.pass(Millis{4000});
    rig.turn(Side::worker, kOther, {0, wire::Renew{0, 1, {}}});
    rig.settle();
  }
  bool dispatched = false;
  while (rig.unread(kOther) > 0) {
    const Answer answer = rig.answer(kOther);
    dispatched = dispatched || answer.as<wire::Dispatch>() != nullptr;
  }
  ASSERT_TRUE(dispatched);
  // Its session is over: the old connection has to say HELLO with what it finished.
  wire::Hello hello = EngineRig::worker_hello("w1");
  hello.finished = {{job.id, Token{epoch, job.dispatch}}};
  rig.turn(Side::worker, 9, {2, hello});
  rig.settle();
  const Answer welcome = rig.answer(9);
  ASSERT_NE(nullptr, welcome.as<wire::Welcome>());
  EXPECT_EQ(std::vector<Code>{Code::stale}, welcome.as<wire::Welcome>()->finished);
}

TEST_F(EngineTest, WorkerWithoutAConnectionIsGivenNothingAndWhatNeverLeftGoesToAnother) {
  rig.connect_client(kClient);
  rig.connect_worker(kWorker, "w1", 2);
  const std::vector<JobId> ids{rig.new_id(), rig.new_id()};
  rig.turn(Side::client, kClient, EngineRig::submit(10, {ids[0]}));
  rig.settle();
  ASSERT_NE(nullptr, rig.answer(kWorker).as<wire::Dispatch>());  // arrived, as far as anybody knows
  rig.turn(Side::client, kClient, EngineRig::submit(11, {ids[1]}));
  rig.settle();
  const std::string refused = rig.outbox().take(kWorker);
  rig.engine().on_closed(kWorker, rig.now());
  rig.engine().on_undelivered(refused, rig.now());
  rig.end_turn();
  rig.settle();
  EXPECT_EQ(JobState::running, rig.core().view(ids[0], rig.now())->state);
  EXPECT_EQ(JobState::ready, rig.core().view(ids[1], rig.now())->state);
  EXPECT_EQ(0U, rig.core().view(ids[1], rig.now())->losses);
  rig.turn(Side::client, kClient, EngineRig::submit(12, {rig.new_id()}));
  rig.settle();
  EXPECT_EQ(0U, rig.unread(kWorker));
  rig.connect_worker(kOther, "w2", 4);
  const Answer answer = rig.answer(kOther);
  ASSERT_NE(nullptr, answer.as<wire::Dispatch>());
  ASSERT_EQ(2U, answer.as<wire::Dispatch>()->items.size());
  EXPECT_EQ(ids[1], answer.as<wire::Dispatch>()->items[0].id);
  EXPECT_EQ(1U, answer.as<wire::Dispatch>()->items[0].attempt);
  // Later the same frame, or one that says something else, changes nothing.
  rig.engine().on_undelivered(refused, rig.now());
  rig.engine().on_undelivered("garbage", rig.now());
  rig.end_turn();
  rig.settle();
  EXPECT_EQ(JobState::running, rig.core().view(ids[1], rig.now())->state);
  rig.core().check_invariants();
}

TEST_F(EngineTest, WorkerThatComesBackOnANewConnectionKeepsWhatItHolds) {
  rig.connect_client(kClient);
  wire::Hello hello = EngineRig::worker_hello("w1");
  rig.turn(Side::worker, kWorker, {1, hello});
  rig.settle();
  ASSERT_NE(nullptr, rig.answer(kWorker).as<wire::Welcome>());
  const JobId id = rig.new_id();
  rig.turn(Side::client, kClient, EngineRig::submit(10, {id}));
  rig.settle();
  const Answer given = rig.answer(kWorker);
  ASSERT_NE(nullptr, given.as<wire::Dispatch>());
  rig.engine().on_closed(kWorker, rig.now());
  rig.end_turn();
  hello.connection = 2;
  hello.started = {{id, Token{given.as<wire::Dispatch>()->epoch, given.as<wire::Dispatch>()->items[0].dispatch}}};
  rig.turn(Side::worker, kOther, {1, hello});
  rig.settle();
  ASSERT_NE(nullptr, rig.answer(kOther).as<wire::Welcome>());
  rig.turn(Side::worker, kOther, EngineRig::complete(20, *given.as<wire::Dispatch>(), 1));
  rig.settle();
  const Answer completed = rig.answer(kOther);
  ASSERT_NE(nullptr, completed.as<wire::Completed>());
  EXPECT_EQ(Code::ok, completed.as<wire::Completed>()->codes.at(0));
  rig.core().check_invariants();
}

TEST_F(EngineTest, SecondLiveWorkerOfOneNameIsRefused) {
  rig.connect_worker(kWorker, "w1");
  rig.turn(Side::worker, kOther, {4, EngineRig::worker_hello("w1")});
  rig.settle();
  const Answer answer = rig.answer(kOther);
  ASSERT_NE(nullptr, answer.as<wire::ErrorReply>());
  EXPECT_EQ(Code::conflict, answer.as<wire::ErrorReply>()->code);
  EXPECT_EQ(4U, answer.request());
}

TEST_F(EngineTest, NothingIsServedBeforeHello) {
  rig.turn(Side::client, kClient, EngineRig::submit(8, {rig.new_id()}));
  const Answer answer = rig.answer(kClient);
  ASSERT_NE(nullptr, answer.as<wire::ErrorReply>());
  EXPECT_EQ(Code::no_session, answer.as<wire::ErrorReply>()->code);
  EXPECT_EQ(8U, answer.request());
  EXPECT_EQ(0U, rig.core().live_jobs());
}

TEST_F(EngineTest, GarbageIsAnsweredCountedAndHarmsNobody) {
  rig.connect_client(kClient);
  rig.turn_raw(Side::client, kClient, "\xc1\xff garbage");
  rig.turn_raw(Side::worker, kOther, std::string(5, '\xdd'));
  EXPECT_EQ(Code::bad_message, rig.answer(kClient).as<wire::ErrorReply>()->code);
  EXPECT_NE(nullptr, rig.answer(kOther).as<wire::ErrorReply>());
  EXPECT_EQ(2U, rig.engine().counters().bad_messages);
  rig.turn(Side::client, kClient, {9, wire::Ping{}});
  EXPECT_NE(nullptr, rig.answer(kClient).as<wire::Pong>());
}

TEST_F(EngineTest, MessagesOfTheOtherSideAreRefused) {
  rig.connect_client(kClient);
  rig.turn(Side::client, kClient, {9, wire::Renew{}});
  EXPECT_EQ(Code::bad_message, rig.answer(kClient).as<wire::ErrorReply>()->code);
}

TEST_F(EngineTest, MemoryJobIsAnsweredAndRunAtOnce) {
  rig.connect_client(kClient);
  rig.connect_worker(kWorker);
  wire::JobOptions options;
  options.durability = Durability::memory;
  rig.turn(Side::client, kClient, EngineRig::submit(5, {rig.new_id()}, "quick", options));
  EXPECT_FALSE(rig.port().has_commit());
  EXPECT_NE(nullptr, rig.answer(kClient).as<wire::Submitted>());
  const Answer dispatch = rig.answer(kWorker);
  ASSERT_NE(nullptr, dispatch.as<wire::Dispatch>());
  EXPECT_EQ("quick", dispatch.as<wire::Dispatch>()->items.at(0).payload);
}

// The core still knows the job, its payload is gone: a retry would run without it, and never end.
TEST_F(EngineTest, RetryOfAMemoryJobThatMadeRoomIsRefused) {
  rig.connect_client(kClient);
  rig.connect_worker(kWorker);
  wire::JobOptions options;
  options.durability = Durability::memory;
  const auto run = [&](const JobId& id, const std::string& payload) {
    rig.turn(Side::client, kClient, EngineRig::submit(5, {id}, payload, options));
    ASSERT_NE(nullptr, rig.answer(kClient).as<wire::Submitted>());
    const Answer dispatch = rig.answer(kWorker);
    ASSERT_NE(nullptr, dispatch.as<wire::Dispatch>());
    rig.turn(Side::worker, kWorker, EngineRig::complete(6, *dispatch.as<wire::Dispatch>(), 1));
    ASSERT_NE(nullptr, rig.answer(kWorker).as<wire::Completed>());
  };
  const auto retry = [&](const JobId& id) {
    wire::Retry message;
    message.items.push_back({id, std::nullopt});
    rig.turn(Side::client, kClient, {7, message});
    const Answer answer = rig.answer(kClient);
    return answer.as<wire::Results>()->items.at(0).code;
  };
  const JobId first = rig.new_id();
  run(first, "small");
  const std::string large(limits::MiB, 'x');
  JobId last;
  for (int i = 0; i < 70; ++i) run(last = rig.new_id(), large);  // more than the rig's memory takes
  ASSERT_TRUE(rig.core().knows(first));
  EXPECT_EQ(Code::not_found, retry(first));
  EXPECT_EQ(0U, rig.unread(kWorker));
  EXPECT_EQ(Code::ok, retry(last));
  const Answer dispatch = rig.answer(kWorker);
  ASSERT_NE(nullptr, dispatch.as<wire::Dispatch>());
  EXPECT_EQ(large, dispatch.as<wire::Dispatch>()->items.at(0).payload);
}

TEST_F(EngineTest, ShutdownRefusesSubmitsAndSettles) {
  rig.connect_client(kClient);
  rig.turn(Side::client, kClient, EngineRig::submit(5, {rig.new_id()}));
  rig.engine().begin_shutdown();
  rig.turn(Side::client, kClient, EngineRig::submit(6, {rig.new_id()}));
  EXPECT_EQ(Code::shutting_down, rig.answer(kClient).as<wire::ErrorReply>()->code);
  EXPECT_FALSE(rig.engine().is_settled());
  rig.settle();
  EXPECT_TRUE(rig.engine().is_settled());
  EXPECT_NE(nullptr, rig.answer(kClient).as<wire::Submitted>());
  rig.engine().say_goodbye();
  EXPECT_NE(nullptr, rig.answer(kClient).as<wire::Goodbye>());
}

TEST_F(EngineTest, HelloAtTheOtherSidesEndpointNamesTheRightOne) {
  rig.turn(Side::client, 7, {1, EngineRig::worker_hello("w9")});
  const Answer worker = rig.answer(7);
  ASSERT_NE(nullptr, worker.as<wire::ErrorReply>());
  EXPECT_NE(std::string_view::npos, worker.as<wire::ErrorReply>()->message.find("tcp://*:5556"));
  rig.turn(Side::worker, 8, {1, wire::Hello{}});
  const Answer client = rig.answer(8);
  ASSERT_NE(nullptr, client.as<wire::ErrorReply>());
  EXPECT_NE(std::string_view::npos, client.as<wire::ErrorReply>()->message.find("tcp://*:5555"));
}

TEST_F(EngineTest, SilentClientIsForgotten) {
  rig.connect_client(kClient);
  rig.pass(limits::kPeerSilence + Millis{2000});
  rig.end_turn();
  EXPECT_EQ(std::vector<Route>{kClient}, rig.outbox().forgotten());
  rig.turn(Side::client, kClient, {9, wire::Ping{}});
  EXPECT_EQ(Code::no_session, rig.answer(kClient).as<wire::ErrorReply>()->code);
}

TEST(EngineWithoutDisk, FsyncJobIsRefusedWithWhatToDo) {
  EngineOptions options;
  options.keeps_on_disk = false;
  EngineRig rig(store::make_memory({}, 64 * limits::MiB), options);
  rig.connect_client(kClient);
  rig.turn(Side::client, kClient, EngineRig::submit(5, {rig.new_id()}));
  const Answer answer = rig.answer(kClient);
  ASSERT_NE(nullptr, answer.as<wire::ErrorReply>());
  EXPECT_EQ(Code::conflict, answer.as<wire::ErrorReply>()->code);
  EXPECT_NE(std::string_view::npos, answer.as<wire::ErrorReply>()->message.find("--durability memory"));
}

}  // namespace
}  // namespace rota::server

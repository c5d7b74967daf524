#include <gtest/gtest.h>

#include <map>

#include "common/base/limits.h"
#include "tests/unit/server/engine_rig.h"

// Requests about jobs that the core has forgotten, by the thousand and in many frames.
namespace rota::server {
namespace {

constexpr Route kClient = 1;
constexpr Route kOther = 2;
constexpr Route kWorker = 3;
constexpr std::size_t kFrame = limits::kMaxBatch;

using Ids = std::vector<JobId>;

class LookUpsTest : public testing::Test {
 protected:
  EngineRig rig{store::make_memory({}, 1 * limits::GiB)};

  void SetUp() override {
    rig.connect_client(kClient);
    rig.connect_client(kOther);
    rig.connect_worker(kWorker, "w1", kFrame);
  }

  static std::vector<Ids> in_frames(const Ids& ids) {
    std::vector<Ids> frames;
    for (std::size_t at = 0; at < ids.size(); at += kFrame) {
      const std::size_t end = std::min(ids.size(), at + kFrame);
      frames.emplace_back(ids.begin() + static_cast<std::ptrdiff_t>(at), ids.begin() + static_cast<std::ptrdiff_t>(end));
    }
    return frames;
  }
  Ids submitted(std::size_t count) {
    Ids ids;
    for (std::size_t i = 0; i < count; ++i) ids.push_back(rig.new_id());
    for (const Ids& some : in_frames(ids)) {
      rig.turn(Side::client, kClient, EngineRig::submit(10, some));
      rig.settle();
      EXPECT_NE(nullptr, rig.answer(kClient).as<wire::Submitted>());
    }
    return ids;
  }
  // Runs what the worker was given.
  void run() {
    while (rig.unread(kWorker) > 0) {
      const Answer answer = rig.answer(kWorker);
      const auto* dispatch = answer.as<wire::Dispatch>();
      if (dispatch == nullptr) continue;
      rig.turn(Side::worker, kWorker, EngineRig::complete(20, *dispatch, kFrame));
      rig.settle();
    }
  }
  Ids finished(std::size_t count) {
    Ids all;
    for (std::size_t done = 0; done < count;) {
      const Ids ids = submitted(std::min(kFrame, count - done));
      run();
      all.insert(all.end(), ids.begin(), ids.end());
      done += ids.size();
    }
    return all;
  }
  // Finished, and forgotten by the core.
  Ids old(std::size_t count) {
    Ids ids = finished(count);
    forget();
    for (const JobId& id : ids) EXPECT_FALSE(rig.core().knows(id));
    return ids;
  }
  void forget() {
    rig.pass(limits::kRecentHorizon + Millis{1000});
    rig.end_turn();
    rig.turn(Side::worker, kWorker, {0, wire::Renew{0, kFrame, {}}});
    rig.settle();
  }
  // Takes a frame in without ending the turn.
  void bring(Route client, const wire::Message& message) {
    std::string frame;
    wire::encode(message, frame);
    rig.engine().on_frame(Side::client, client, frame, rig.now());
  }
  Prng random_{77};
  struct Told {
    std::map<JobId, JobState> states;
    std::size_t unknown = 0;
    std::size_t twice = 0;
  };
  Told told(Route client) {
    Told all;
    while (rig.unread(client) > 0) {
      const Answer answer = rig.answer(client);
      const auto* notify = answer.as<wire::Notify>();
      if (notify == nullptr) continue;
      for (const wire::NotifyItem& item : notify->items) {
        if (item.code != Code::ok) {
          ++all.unknown;
        } else if (!all.states.emplace(item.id, item.state).second) {
          ++all.twice;
        }
      }
    }
    return all;
  }
  void expect_all_told(Route client, const Ids& ids) {
    const Told all = told(client);
    EXPECT_EQ(0U, all.unknown);
    EXPECT_EQ(0U, all.twice);
    EXPECT_EQ(ids.size(), all.states.size());
    for (const JobId& id : ids) ASSERT_TRUE(all.states.contains(id));
  }
};

TEST_F(LookUpsTest, WaitsForTwentyThousandForgottenJobsInOneTurnAreAllAnswered) {
  const Ids ids = old(20'000);
  wire::Request request = 30;
  for (const Ids& some : in_frames(ids)) bring(kClient, {request++, wire::Wait{true, some}});
  rig.end_turn();
  rig.settle();
  expect_all_told(kClient, ids);
  EXPECT_TRUE(rig.engine().parking().empty());
  EXPECT_EQ(0U, rig.engine().parking().bytes());
}

TEST_F(LookUpsTest, WaitsThatComeTurnByTurnWhileOthersAreReadForAreAllAnswered) {
  const Ids ids = old(20'000);
  wire::Request request = 30;
  for (const Ids& some : in_frames(ids)) {
    rig.turn(Side::client, kClient, {request, wire::Wait{true, some}});
    rig.turn(Side::client, kOther, {request, wire::Wait{false, some}});
    rig.turn(Side::client, kOther, EngineRig::submit(request, {rig.new_id()}));  // a batch to commit between them
    ++request;
  }
  rig.settle();
  expect_all_told(kClient, ids);
  expect_all_told(kOther, ids);
}

TEST_F(LookUpsTest, MixtureOfLiveRecentForgottenAndUnknownJobsIsToldOfEachWhatIsTrue) {
  const Ids forgotten = old(9'000);
  const Ids recent = finished(2'000);
  const Ids live = submitted(1'000);
  Ids mixed;
  for (std::size_t i = 0; i < forgotten.size(); ++i) {
    mixed.push_back(forgotten[i]);
    if (i < recent.size()) mixed.push_back(recent[i]);
    if (i < live.size()) mixed.push_back(live[i]);
    if (i < 500) mixed.push_back(rig.new_id());
    if (i < 500) mixed.push_back(make_job_id(rig.now().wall - Millis{100'000}, slot_of_queue("default"), random_));
  }
  wire::Request request = 30;
  for (const Ids& some : in_frames(mixed)) bring(kClient, {request++, wire::Wait{true, some}});
  rig.end_turn();
  rig.settle();
  const Told first = told(kClient);
  EXPECT_EQ(1'000U, first.unknown);
  EXPECT_EQ(forgotten.size() + recent.size(), first.states.size());
  for (const JobId& id : live) EXPECT_FALSE(first.states.contains(id));
  run();
  const Told later = told(kClient);
  EXPECT_EQ(0U, later.unknown);
  EXPECT_EQ(0U, later.twice);
  EXPECT_EQ(live.size(), later.states.size());
}

TEST_F(LookUpsTest, EveryKindOfRequestInManyFramesFindsWhatTheStoreHas) {
  const Ids ids = old(12 * 100);
  wire::Request request = 100;
  for (std::size_t at = 0; at < ids.size(); at += 100) {
    const Ids some(ids.begin() + static_cast<std::ptrdiff_t>(at), ids.begin() + static_cast<std::ptrdiff_t>(at) + 100);
    bring(kClient, {request++, wire::Get{false, some}});
    bring(kClient, {request++, wire::Cancel{some}});
    bring(kClient, EngineRig::submit(request++, some));
    wire::Retry retry;
    for (const JobId& id : some) retry.items.push_back({id, std::nullopt});
    bring(kClient, {request++, retry});
  }
  rig.end_turn();
  rig.settle();
  for (wire::Request expected = 100; expected < request; ++expected) {
    ASSERT_GT(rig.unread(kClient), 0U);
    const Answer answer = rig.answer(kClient);
    ASSERT_EQ(expected, answer.request());  // in the order they came
    std::size_t right = 0;
    if (const auto* jobs = answer.as<wire::Jobs>()) {
      for (const wire::JobInfo& job : jobs->jobs) right += job.state == JobState::succeeded && job.code == Code::ok;
    } else if (const auto* submitted = answer.as<wire::Submitted>()) {
      for (const wire::ItemResult& item : submitted->items) right += item.code == Code::duplicate;
    } else if (const auto* results = answer.as<wire::Results>()) {
      const bool retried = (expected - 100) % 4 == 3;
      for (const wire::ItemResult& item : results->items)
        right += item.code != Code::not_found && (!retried || item.code == Code::ok);
    }
    EXPECT_EQ(100U, right) << expected;
  }
}

TEST_F(LookUpsTest, CompletionsOfForgottenJobsInManyFramesAreAcknowledged) {
  std::vector<wire::Message> completions;
  std::vector<std::string> frames;
  for (int i = 0; i < 8; ++i) {
    (void)submitted(10);
    const Answer answer = rig.answer(kWorker);
    ASSERT_NE(nullptr, answer.as<wire::Dispatch>());
    const wire::Message complete = EngineRig::complete(20, *answer.as<wire::Dispatch>(), kFrame);
    wire::encode(complete, frames.emplace_back());
    rig.turn(Side::worker, kWorker, complete);
    rig.settle();
    (void)rig.answer(kWorker);
  }
  forget();
  while (rig.unread(kWorker) > 0) (void)rig.answer(kWorker);
  for (const std::string& frame : frames) rig.engine().on_frame(Side::worker, kWorker, frame, rig.now());
  rig.end_turn();
  rig.settle();
  for (std::size_t i = 0; i < frames.size(); ++i) {
    const Answer answer = rig.answer(kWorker);
    ASSERT_NE(nullptr, answer.as<wire::Completed>());
    for (const Code code : answer.as<wire::Completed>()->codes) EXPECT_EQ(Code::ok, code);
  }
}

TEST_F(LookUpsTest, LeaseOfAWorkerWhoseReportWaitsForTheStoreGoesOn) {
  wire::Complete late;
  late.credit = kFrame;
  late.items.emplace_back().job = {old(1).front(), Token{1, 1}};
  while (rig.unread(kWorker) > 0) (void)rig.answer(kWorker);
  rig.turn(Side::worker, kWorker, {30, late});
  ASSERT_EQ(1U, rig.port().reads());
  for (wire::Request request = 31; request < 37; ++request) {  // 24 s; the lease is 15 s
    rig.pass(Millis{4000});
    rig.turn(Side::worker, kWorker, {request, wire::Renew{0, kFrame, {}}});
  }
  EXPECT_EQ(0U, rig.unread(kWorker));  // nothing of it is carried out
  EXPECT_EQ(1U, rig.engine().sessions().workers());
  rig.settle();
  std::size_t completed = 0, renewed = 0;
  while (rig.unread(kWorker) > 0) {
    const Answer answer = rig.answer(kWorker);
    if (answer.as<wire::Completed>() != nullptr) ++completed;
    if (answer.as<wire::Renewed>() != nullptr) ++renewed;
  }
  EXPECT_EQ(1U, completed);
  EXPECT_EQ(6U, renewed);
}

TEST_F(LookUpsTest, WaitBehindARetryOfTheSameJobIsToldTheNewEnd) {
  const Ids ids = old(1);
  wire::Retry retry;
  retry.items.push_back({ids[0], std::nullopt});
  rig.turn(Side::client, kOther, {29, wire::Wait{true, ids}});  // the same look reads for both
  rig.turn(Side::client, kClient, {30, retry});
  rig.turn(Side::client, kClient, {31, wire::Wait{true, ids}});
  rig.settle();
  const Answer retried = rig.answer(kClient);
  ASSERT_NE(nullptr, retried.as<wire::Results>());
  EXPECT_EQ(0U, rig.unread(kClient));
  run();
  const Answer answer = rig.answer(kClient);
  ASSERT_NE(nullptr, answer.as<wire::Notify>());
  EXPECT_EQ(31U, answer.request());
  EXPECT_EQ(2U, answer.as<wire::Notify>()->items.at(0).attempts);
}

TEST_F(LookUpsTest, RequestThatLooksTwiceKeepsItsPlaceBeforeLaterOnes) {
  const Ids forgotten = old(1);
  const Ids live = submitted(1);
  ASSERT_NE(nullptr, rig.answer(kWorker).as<wire::Renewed>());
  const Answer given = rig.answer(kWorker);
  ASSERT_NE(nullptr, given.as<wire::Dispatch>());
  rig.turn(Side::client, kClient, {50, wire::Get{true, {forgotten[0], live[0]}}});
  ASSERT_EQ(1U, rig.port().reads());
  // Ends, and is committed, before the look is carried out; later requests gather behind other batches.
  rig.turn(Side::worker, kWorker, EngineRig::complete(20, *given.as<wire::Dispatch>(), kFrame, "late"));
  rig.turn(Side::client, kClient, EngineRig::submit(51, {rig.new_id()}));
  rig.commit();
  rig.turn(Side::client, kClient, {52, wire::Get{true, forgotten}});
  rig.settle();
  const Answer answer = rig.answer(kClient);
  ASSERT_EQ(50U, answer.request());
  ASSERT_EQ(2U, answer.as<wire::Jobs>()->jobs.size());
  EXPECT_EQ("done", answer.as<wire::Jobs>()->jobs[0].report.result);
  EXPECT_EQ("late", answer.as<wire::Jobs>()->jobs[1].report.result);
  EXPECT_EQ(51U, rig.answer(kClient).request());
  EXPECT_EQ(52U, rig.answer(kClient).request());
}

TEST_F(LookUpsTest, ForgottenMemoryJobsAreAnsweredInTheSameTurn) {
  wire::JobOptions options;
  options.durability = Durability::memory;
  const JobId id = rig.new_id();
  rig.turn(Side::client, kClient, EngineRig::submit(10, {id}, "data", options));
  rig.settle();
  run();
  forget();
  while (rig.unread(kClient) > 0) (void)rig.answer(kClient);
  bring(kClient, {30, wire::Wait{true, {id}}});
  bring(kClient, {31, wire::Wait{true, {id}}});
  rig.end_turn();
  EXPECT_EQ(0U, rig.port().reads());
  ASSERT_EQ(2U, rig.unread(kClient));
  EXPECT_EQ(30U, rig.answer(kClient).request());
  EXPECT_EQ(31U, rig.answer(kClient).request());
}

TEST_F(LookUpsTest, LineOfAClientThatLeavesIsDropped) {
  const Ids ids = old(10);
  bring(kClient, {30, wire::Wait{true, ids}});
  bring(kClient, {31, wire::Cancel{ids}});
  bring(kOther, {30, wire::Wait{true, ids}});
  rig.turn(Side::client, kClient, {32, wire::Goodbye{}});
  rig.settle();
  EXPECT_EQ(0U, rig.unread(kClient));
  expect_all_told(kOther, ids);
  EXPECT_EQ(0U, rig.engine().parking().bytes());
}

}  // namespace
}  // namespace rota::server

#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include "tests/unit/server/engine_rig.h"

namespace rota::server {
namespace {

constexpr Route kClient = 1;
constexpr Route kOther = 2;
constexpr Route kWorker = 3;

struct Reply {
  Code code = Code::ok;
  std::string message;
  std::map<std::string, std::int64_t> numbers;
  bool more = false;
  std::string cursor;
};

class BulkTest : public testing::Test {
 protected:
  void SetUp() override {
    rig_.connect_client(kClient);
    rig_.connect_client(kOther);
    rig_.connect_worker(kWorker, "w1", 1000);
  }
  std::vector<JobId> submit(std::size_t count, const wire::JobOptions& options = {}) {
    std::vector<JobId> ids;
    for (std::size_t i = 0; i < count; ++i) ids.push_back(rig_.new_id());
    rig_.turn(Side::client, kOther, EngineRig::submit(++request_, ids, "data", options));
    rig_.settle();
    EXPECT_NE(rig_.answer(kOther).as<wire::Submitted>(), nullptr);
    return ids;
  }
  void run_all(bool fail) {
    rig_.end_turn();
    rig_.settle();
    while (rig_.unread(kWorker) > 0) {
      const Answer answer = rig_.answer(kWorker);
      const auto* dispatch = answer.as<wire::Dispatch>();
      if (dispatch == nullptr) continue;
      wire::Message message = EngineRig::complete(++request_, *dispatch, 1000);
      if (fail) {
        for (wire::CompleteItem& item : std::get<wire::Complete>(message.body).items) item.end = AttemptEnd::failed;
      }
      rig_.turn(Side::worker, kWorker, message);
      rig_.settle();
    }
  }
  void forget_recents() {
    rig_.pass(limits::kRecentHorizon + Millis{1000});
    rig_.end_turn();
    rig_.settle();
  }
  void ask(std::string_view verb, const std::vector<wire::Pair>& arguments) {
    wire::Admin admin;
    admin.verb = verb;
    admin.arguments = arguments;
    rig_.turn(Side::client, kClient, {++request_, admin});
  }
  Reply finish() {
    for (int turns = 0; rig_.unread(kClient) == 0; ++turns) {
      ROTA_CHECK(turns < 10'000);
      rig_.end_turn();
      rig_.settle();
    }
    const Answer answer = rig_.answer(kClient);
    Reply reply;
    if (const auto* error = answer.as<wire::ErrorReply>()) {
      reply.code = error->code;
      reply.message = error->message;
      return reply;
    }
    const auto* admin = answer.as<wire::AdminReply>();
    ROTA_CHECK(admin != nullptr);
    reply.code = admin->code;
    reply.message = admin->message;
    for (const auto& row : admin->rows) {
      for (const wire::AdminValue& value : row) {
        if (const auto* number = std::get_if<std::int64_t>(&value.value)) reply.numbers[std::string(value.name)] = *number;
        if (const auto* flag = std::get_if<bool>(&value.value)) reply.more = *flag;
        if (const auto* text = std::get_if<std::string_view>(&value.value)) reply.cursor = *text;
      }
    }
    return reply;
  }
  // Asks on until nothing is left. Adds up `field`.
  std::int64_t all(std::string_view verb, const std::string& state, const std::string& field) {
    std::int64_t total = 0;
    std::string through, cursor;
    slices_ = 0;
    for (;;) {
      std::vector<wire::Pair> arguments{{"queue", "default"}, {"state", state}};
      if (!through.empty()) {
        arguments.push_back({"through", through});
        arguments.push_back({"cursor", cursor});
      }
      ask(verb, arguments);
      const Reply reply = finish();
      EXPECT_EQ(reply.code, Code::ok) << reply.message;
      total += reply.numbers.at(field);
      ++slices_;
      if (!reply.more) return total;
      through = std::to_string(reply.numbers.at("through"));
      cursor = reply.cursor;
      submit(3);  // and fail while it goes on
      run_all(true);
    }
  }
  JobState state_of(const JobId& id) {
    rig_.turn(Side::client, kOther, {++request_, wire::Get{false, {id}}});
    rig_.settle();
    const Answer answer = rig_.answer(kOther);
    const auto* jobs = answer.as<wire::Jobs>();
    ROTA_CHECK(jobs != nullptr);
    return jobs->jobs.at(0).code == Code::not_found ? JobState::blocked : jobs->jobs.at(0).state;
  }

  EngineRig rig_{store::make_memory({}, 256 * limits::MiB)};
  wire::Request request_ = 100;
  int slices_ = 0;
};

constexpr JobState kGone = JobState::blocked;  // what state_of() says of an unknown job

TEST_F(BulkTest, PurgeForgetsFinishedJobsRecentAndStored) {
  const std::vector<JobId> old = submit(300);
  run_all(true);
  forget_recents();
  const std::vector<JobId> recent = submit(300);
  run_all(true);
  const std::vector<JobId> good = submit(10);
  run_all(false);
  ask("purge", {{"queue", "default"}, {"state", "failed"}});
  const Reply reply = finish();
  EXPECT_EQ(reply.code, Code::ok);
  EXPECT_EQ(reply.numbers.at("forgotten"), 600);
  EXPECT_FALSE(reply.more);
  EXPECT_EQ(state_of(old[0]), kGone);
  EXPECT_EQ(state_of(recent[299]), kGone);
  EXPECT_EQ(state_of(good[0]), JobState::succeeded);
  forget_recents();
  EXPECT_EQ(state_of(recent[299]), kGone);
}

TEST_F(BulkTest, PurgeForgetsFinishedMemoryJobs) {
  wire::JobOptions memory;
  memory.durability = Durability::memory;
  const std::vector<JobId> ids = submit(10, memory);
  run_all(true);
  EXPECT_EQ(all("purge", "failed", "forgotten"), 10);
  EXPECT_EQ(state_of(ids[0]), kGone);
}

TEST_F(BulkTest, LargeRetryGoesInSlicesAndLeavesWhatFailedSinceAlone) {
  constexpr std::size_t kJobs = 2 * limits::kBulkRequestJobs + 100;
  std::vector<JobId> ids;
  for (std::size_t i = 0; i < kJobs; i += 1000) {
    for (const JobId& id : submit(std::min<std::size_t>(1000, kJobs - i))) ids.push_back(id);
    run_all(true);
  }
  forget_recents();
  EXPECT_EQ(all("retry", "", "retried"), static_cast<std::int64_t>(kJobs));
  EXPECT_GE(slices_, 3);
}

TEST_F(BulkTest, RetryPutsJobsBackUnderTheSameId) {
  const std::vector<JobId> ids = submit(3);
  run_all(true);
  forget_recents();
  EXPECT_EQ(all("retry", "failed", "retried"), 3);
  run_all(false);
  for (const JobId& id : ids) EXPECT_EQ(state_of(id), JobState::succeeded);
  EXPECT_EQ(all("retry", "failed", "retried"), 0);
}

// The store is read for a RETRY, then a purge forgets the job: a revival would be of a job that is no more.
TEST_F(BulkTest, RetryThatWasReadForBeforeAPurgeIsReadForAgain) {
  const std::vector<JobId> ids = submit(1);
  run_all(true);
  forget_recents();
  ask("purge", {{"queue", "default"}, {"state", "failed"}});  // asks the store
  ASSERT_EQ(rig_.port().reads(), 1U);
  wire::Retry retry;
  retry.items.push_back({ids[0], std::nullopt});
  rig_.turn(Side::client, kOther, {++request_, retry});
  ASSERT_EQ(rig_.port().reads(), 2U);
  // Both find the job; the purge comes first.
  std::unique_ptr<ReadTask> purge_read = rig_.port().take_read();
  std::unique_ptr<ReadTask> retry_read = rig_.port().take_read();
  carry_out(rig_.store(), *purge_read);
  carry_out(rig_.store(), *retry_read);
  ASSERT_NE(retry_read->found.find(ids[0]), nullptr);
  rig_.engine().on_read(std::move(purge_read), rig_.now());
  rig_.engine().on_read(std::move(retry_read), rig_.now());
  const Reply reply = finish();
  EXPECT_EQ(reply.numbers.at("forgotten"), 1);
  rig_.settle();
  const Answer answer = rig_.answer(kOther);
  ASSERT_NE(answer.as<wire::Results>(), nullptr);
  EXPECT_EQ(answer.as<wire::Results>()->items.at(0).code, Code::not_found);
}

// A client asks again when an answer takes its time: one run answers, with what was done in all.
TEST_F(BulkTest, RequestThatIsSentAgainIsDoneOnce) {
  submit(600);
  run_all(true);
  ask("purge", {{"queue", "default"}, {"state", "failed"}});
  --request_;
  ask("purge", {{"queue", "default"}, {"state", "failed"}});
  EXPECT_EQ(finish().numbers.at("forgotten"), 600);
  for (int i = 0; i < 20; ++i) {
    rig_.end_turn();
    rig_.settle();
  }
  EXPECT_EQ(rig_.unread(kClient), 0U);
}

// The core of a broker that was restarted knows no queue whose jobs have ended.
TEST_F(BulkTest, QueueOfFinishedJobsOnlyIsKnownAfterARestart) {
  submit(3);
  run_all(false);
  forget_recents();
  EngineRig again(rig_.take_store());
  again.connect_client(kClient);
  wire::Admin admin;
  admin.verb = "retry";
  admin.arguments = {{"queue", "default"}};
  again.turn(Side::client, kClient, {++request_, admin});
  for (int i = 0; i < 20; ++i) {
    again.end_turn();
    again.settle();
  }
  const Answer retried = again.answer(kClient);
  ASSERT_NE(retried.as<wire::AdminReply>(), nullptr);
  EXPECT_EQ(retried.as<wire::AdminReply>()->code, Code::ok);
  wire::List list;
  list.queue = "default";
  list.states = state_bit(JobState::failed);
  again.turn(Side::client, kClient, {++request_, list});
  for (int i = 0; i < 20; ++i) {
    again.end_turn();
    again.settle();
  }
  const Answer listed = again.answer(kClient);
  ASSERT_NE(listed.as<wire::Listed>(), nullptr);
  EXPECT_TRUE(listed.as<wire::Listed>()->jobs.empty());
}

TEST_F(BulkTest, BadRequestsAreRefusedAndChangeNothing) {
  const std::vector<JobId> ids = submit(1);
  run_all(true);
  ask("purge", {{"queue", "default"}, {"state", "running"}});
  EXPECT_EQ(finish().code, Code::bad_message);
  ask("purge", {{"queue", "default"}, {"state", "failed,nonsense"}});
  EXPECT_EQ(finish().code, Code::bad_message);
  ask("retry", {{"queue", "default"}, {"state", "ready"}});
  EXPECT_EQ(finish().code, Code::bad_message);
  ask("retry", {{"queue", "default"}, {"through", "5"}, {"cursor", "00"}});
  EXPECT_EQ(finish().code, Code::bad_message);
  ask("retry", {{"queue", "de fault"}});
  EXPECT_EQ(finish().code, Code::bad_message);
  ask("purge", {{"queue", "unheard-of"}});
  EXPECT_EQ(finish().code, Code::not_found);
  EXPECT_EQ(state_of(ids[0]), JobState::failed);
}

TEST_F(BulkTest, PurgeOfEverythingTakesQueuedAndFinishedInOneGo) {
  const std::vector<JobId> done = submit(5);
  run_all(false);
  wire::JobOptions later;
  later.delay = Millis{3'600'000};
  const std::vector<JobId> waiting = submit(7, later);
  EXPECT_EQ(all("purge", "", "forgotten"), 12);
  EXPECT_EQ(state_of(done[0]), kGone);
  EXPECT_EQ(state_of(waiting[0]), kGone);
}

}  // namespace
}  // namespace rota::server

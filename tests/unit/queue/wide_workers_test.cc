#include <gtest/gtest.h>

#include <set>
#include <string>
#include <variant>
#include <vector>

#include "broker/queue/core.h"
#include "common/base/limits.h"
#include "common/base/peer_limits.h"

namespace rota::queue {
namespace {

// Workers that serve many queues and types, and sessions that come and go: what they leave behind, and what one turn does.
class WideWorkersTest : public testing::Test {
 protected:
  static std::vector<std::string> names(std::string_view stem, std::size_t count) {
    std::vector<std::string> result;
    for (std::size_t i = 0; i < count; ++i) result.push_back(std::string(stem).append(std::to_string(i)));
    return result;
  }

  SessionRef hello(std::uint16_t number, const std::vector<std::string>& queues, const std::vector<std::string>& types,
                   std::uint32_t credit = 1, std::uint32_t slots = 1) {
    std::vector<ServedQueue> served;
    for (const std::string& queue : queues) served.push_back({queue, 1});
    const std::vector<std::string_view> named(types.begin(), types.end());
    WorkerHello hello;
    hello.session.bytes[0] = static_cast<std::uint8_t>(number);
    hello.session.bytes[1] = static_cast<std::uint8_t>(number >> 8U);
    hello.session.bytes[2] = 1;
    hello.connection = ++connection_;
    hello.route = connection_;
    const std::string name = std::string("w").append(std::to_string(number));
    hello.name = name;
    hello.host = "h";
    hello.boot_id = "b";
    hello.pid = number;
    hello.slots = slots;
    hello.credit = credit;
    hello.queues = served;
    hello.types = named;
    core_.apply(hello, now_, effects_);
    SessionRef ref = kNoSession;
    for (const Message& message : effects_.messages) {
      if (const auto* welcomed = std::get_if<WorkerWelcomed>(&message.body)) {
        ref = welcomed->session;
        code_ = welcomed->code;
      }
    }
    effects_.clear();
    return ref;
  }
  void goodbye(SessionRef session) {
    core_.apply(WorkerGoodbye{session}, now_, effects_);
    effects_.clear();
  }
  JobId submit(const std::string& queue, const std::string& type) {
    SubmitShared shared;
    shared.record.queue = queue;
    shared.record.type = type;
    shared.record.policy.durability = Durability::memory;
    SubmitItem item;
    item.id = make_job_id(now_.wall, slot_of_queue(queue), ids_);
    Submit command;
    command.shared = std::span(&shared, 1);
    command.items = std::span(&item, 1);
    core_.apply(command, now_, effects_);
    EXPECT_EQ(effects_.item_replies.at(0).code, Code::ok);
    effects_.clear();
    return item.id;
  }
  // A turn; what it handed out.
  std::size_t turn() {
    core_.tick(now_, effects_);
    const std::size_t count = effects_.dispatches.size();
    for (const DispatchItem& item : effects_.dispatches) EXPECT_TRUE(given_.insert(item.id).second);
    reclaimed_ += effects_.tokens.size();
    effects_.clear();
    return count;
  }
  [[nodiscard]] bool goes_on_at_once() const { return core_.next_deadline() <= now_.steady; }

  Now now_{Steady{100'000}, Wall{1'700'000'000'000}};
  Prng ids_{3};
  Core core_{CoreOptions{}, Prng(5)};
  Effects effects_;
  std::uint64_t connection_ = 0;
  Code code_ = Code::ok;  // of the last HELLO
  std::set<JobId> given_;
  std::size_t reclaimed_ = 0;
};

// The number of a session that ended comes again after 65,536 others in its place: what it left behind must not be taken
// for the new one's.
TEST_F(WideWorkersTest, SessionThatGetsAnOldNumberHasNothingOfTheOldOne) {
  const auto queues = names("q", 256);
  ASSERT_NE(hello(1, queues, {"t"}), kNoSession);
  const SessionRef first = hello(2, queues, {"t"});
  turn();
  goodbye(first);
  SessionRef last = kNoSession;
  for (std::uint32_t use = 1; use < 65'536; ++use) {
    last = hello(2, {"other"}, {"t"});
    goodbye(last);
  }
  const SessionRef again = hello(2, {"q255"}, {"t"});
  ASSERT_EQ(again, first);
  for (int i = 0; i < 4; ++i) submit("q255", "t");
  EXPECT_EQ(turn(), 2U);
  core_.check_invariants();
}

TEST_F(WideWorkersTest, SessionsThatComeAndGoOnAnIdleQueueLeaveNothing) {
  const auto queues = names("q", 16);
  ASSERT_NE(hello(1, queues, {"t"}), kNoSession);
  for (int i = 0; i < 500; ++i) {
    const SessionRef session = hello(2, queues, {"t"});
    turn();
    if (i % 2 == 0) goodbye(session);
  }
  core_.check_invariants();  // counts the places in the rings
}

TEST_F(WideWorkersTest, DispatchToAWideWorkerGoesOnInTheNextTurn) {
  const auto queues = names("q", 32), types = names("t", 128);
  for (const std::string& queue : queues) {
    for (const std::string& type : types) submit(queue, type);
  }
  const std::size_t jobs = queues.size() * types.size();
  hello(1, queues, types, static_cast<std::uint32_t>(jobs));
  const std::size_t at_first = turn();
  EXPECT_GT(at_first, 0U);
  EXPECT_LT(at_first, jobs);
  while (goes_on_at_once()) turn();
  EXPECT_EQ(given_.size(), jobs);
  core_.check_invariants();
}

// A wide worker with room for everything: whoever serves another queue does not wait until it is full.
TEST_F(WideWorkersTest, WideWorkerDoesNotKeepOthersFromTheirJobs) {
  const auto queues = names("q", 64), types = names("t", 128);
  for (const std::string& queue : queues) {
    for (const std::string& type : types) submit(queue, type);
  }
  const std::size_t jobs = queues.size() * types.size();
  hello(1, queues, types, static_cast<std::uint32_t>(jobs), static_cast<std::uint32_t>(jobs));
  hello(2, {"honest"}, {"t"});
  const JobId honest = submit("honest", "t");
  turn();
  turn();
  EXPECT_TRUE(given_.contains(honest));
  EXPECT_LT(given_.size(), jobs / 2);
  while (goes_on_at_once()) turn();
  EXPECT_EQ(given_.size(), jobs + 1);
  core_.check_invariants();
}

// Behind workers that hold thousands of jobs which the idle one cannot run there is one whose jobs it can.
TEST_F(WideWorkersTest, SearchThatWasCutShortGoesOnBehindThoseAsked) {
  for (std::uint8_t worker = 1; worker <= 4; ++worker) {
    for (int i = 0; i < 8000; ++i) submit("q", "a");
    hello(worker, {"q"}, {"a"}, limits::kMaxCredit);
    while (goes_on_at_once()) turn();
  }
  hello(5, {"q"}, {"b"}, 10);
  for (int i = 0; i < 10; ++i) submit("q", "b");
  while (goes_on_at_once()) turn();
  ASSERT_EQ(given_.size(), 32'010U);
  ASSERT_EQ(reclaimed_, 0U);
  hello(6, {"q"}, {"b"}, 10);
  while (goes_on_at_once()) turn();
  EXPECT_GT(reclaimed_, 0U);
  core_.check_invariants();
}

// The idle worker serves the queues of the laden one and none of its jobs' types.
TEST_F(WideWorkersTest, SearchForJobsToTakeBackGoesOnInTheNextTurn) {
  const auto queues = names("q", 64);
  for (int i = 0; i < 8000; ++i) submit("q0", "a");
  hello(1, queues, {"a"}, limits::kMaxCredit);
  while (goes_on_at_once()) turn();
  ASSERT_EQ(given_.size(), 8000U);
  hello(2, queues, {"b"});
  int turns = 0;
  for (; goes_on_at_once(); ++turns) turn();
  EXPECT_GT(turns, 8);
  EXPECT_EQ(reclaimed_, 0U);
  hello(3, queues, {"a"});
  while (goes_on_at_once()) turn();
  EXPECT_GT(reclaimed_, 0U);
  core_.check_invariants();
}

TEST_F(WideWorkersTest, WorkersTogetherServeSoMuch) {
  const auto queues = names("q", limits::kMaxQueuesPerWorker), types = names("t", limits::kMaxTypesPerWorker);
  const std::size_t most = limits::kMaxServed / (queues.size() + types.size());
  SessionRef last = kNoSession;
  for (std::size_t worker = 1; worker <= most; ++worker) {
    last = hello(static_cast<std::uint16_t>(worker), queues, types);
    ASSERT_EQ(code_, Code::ok) << worker;
  }
  EXPECT_EQ(hello(60'000, queues, types), kNoSession);
  EXPECT_EQ(code_, Code::retry_later);
  hello(1, queues, types);  // one that is there already says it again
  EXPECT_EQ(code_, Code::ok);
  hello(60'001, {"q"}, {"t"});
  EXPECT_EQ(code_, Code::ok);
  goodbye(last);
  hello(60'000, queues, types);
  EXPECT_EQ(code_, Code::ok);
}

TEST_F(WideWorkersTest, QueuePausedAgainAndAgainIsReclaimedOnce) {
  for (int i = 0; i < 100; ++i) submit("q", "a");
  for (std::uint8_t worker = 1; worker <= 10; ++worker) hello(worker, {"q"}, {"a"}, 10);
  while (goes_on_at_once()) turn();
  ASSERT_EQ(given_.size(), 100U);
  for (int i = 0; i < 1000; ++i) {
    for (const bool paused : {false, true}) {
      Pause pause;
      pause.queue = "q";
      pause.paused = paused;
      core_.apply(pause, now_, effects_);
      effects_.clear();
    }
    core_.check_invariants();  // names the queue once
  }
  while (goes_on_at_once()) turn();
  EXPECT_EQ(reclaimed_, 100U);
  core_.check_invariants();
}

}  // namespace
}  // namespace rota::queue

// A queue with as many types as it can have jobs of, and workers with many tokens.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "broker/queue/core.h"

namespace rota::queue {
namespace {

class ManyTypesTest : public testing::Test {
 protected:
  static std::string name_of(std::size_t type) { return std::string("t").append(std::to_string(type)); }

  ItemReply submit(std::string_view type, std::string_view queue = "default") {
    SubmitShared shared;
    shared.record.queue = queue;
    shared.record.type = type;
    SubmitItem item;
    item.id = make_job_id(now_.wall, slot_of_queue(queue), ids_);
    effects_.clear();
    core_.apply(Submit{1, 1, {&shared, 1}, {&item, 1}, {}}, now_, effects_);
    return effects_.item_replies.at(0);
  }
  void fill() {
    for (std::size_t i = 0; i < limits::kMaxTypesPerQueue; ++i) ASSERT_EQ(submit(name_of(i)).code, Code::ok);
  }
  SessionRef hello(std::uint8_t number, const std::vector<std::string>& types, std::span<const TokenOf> held = {}) {
    const ServedQueue queue{"default", 1};
    const std::vector<std::string_view> views(types.begin(), types.end());
    const std::string name = std::string("w").append(std::to_string(number));
    WorkerHello command;
    command.session.bytes[1] = number;
    command.connection = ++connections_;
    command.name = command.host = command.boot_id = name;
    command.slots = 1;
    command.credit = limits::kMaxCredit;
    command.queues = {&queue, 1};
    command.types = views;
    command.held = held;
    effects_.clear();
    core_.apply(command, now_, effects_);
    const auto& welcome = std::get<WorkerWelcomed>(effects_.messages.front().body);
    EXPECT_EQ(welcome.code, Code::ok);
    return welcome.session;
  }
  // What is dispatched now, in order.
  std::vector<TokenOf> dispatched() {
    std::vector<TokenOf> tokens;
    for (std::size_t before = SIZE_MAX; before != tokens.size();) {
      before = tokens.size();
      effects_.clear();
      core_.tick(now_, effects_);
      for (const DispatchItem& item : effects_.dispatches) tokens.push_back({item.id, item.token});
    }
    return tokens;
  }
  [[nodiscard]] bool is_served(const JobId& id) const { return core_.view(id, now_)->served; }

  Now now_{Steady{100'000}, Wall{1'700'000'000'000}};
  Prng ids_{3};
  Core core_{CoreOptions{}, Prng(5)};
  Effects effects_;
  std::uint64_t connections_ = 0;
};

TEST_F(ManyTypesTest, OneMoreIsRefusedUntilAnotherHasNoJobs) {
  fill();
  const ItemReply refused = submit("one-more");
  EXPECT_EQ(refused.code, Code::too_large);
  EXPECT_EQ(refused.reason,
            "this queue has jobs of as many types as it can; use one of these, and the payload for what differs");
  EXPECT_EQ(submit(name_of(7)).code, Code::ok);
  EXPECT_EQ(submit("one-more", "other").code, Code::ok);
  core_.check_invariants();

  const Purge purge{1, 1, "default", 1U << static_cast<unsigned>(JobState::ready), 1, true};
  effects_.clear();
  core_.apply(purge, now_, effects_);
  core_.check_invariants();
  EXPECT_EQ(submit("one-more").code, Code::ok);
  EXPECT_EQ(submit("and-another").code, Code::too_large);
}

TEST_F(ManyTypesTest, ARetryOfAFinishedJobIsRefusedAsWell) {
  fill();
  SharedRecord shared;
  shared.queue = "default";
  shared.type = "one-more";
  FinishedJob found;
  found.job.id = make_job_id(now_.wall - Millis{60'000}, slot_of_queue("default"), ids_);
  found.job.sequence = 1;
  found.job.shared = &shared;
  found.outcome.id = found.job.id;
  found.outcome.sequence = 1;
  found.outcome.state = JobState::failed;
  found.outcome.forget_at = now_.wall + limits::kDefaultKeep;
  const RetryItem item{found.job.id, std::nullopt, false};
  effects_.clear();
  core_.apply(Retry{1, 1, {&item, 1}, {&found, 1}}, now_, effects_);
  EXPECT_EQ(effects_.item_replies.at(0).code, Code::too_large);
  shared.type = "t7";
  effects_.clear();
  core_.apply(Retry{1, 1, {&item, 1}, {&found, 1}}, now_, effects_);
  EXPECT_EQ(effects_.item_replies.at(0).code, Code::ok);
}

TEST_F(ManyTypesTest, AStoreWithMoreIsRestored) {
  constexpr std::size_t kStored = limits::kMaxTypesPerQueue + 10;
  CoreOptions options;
  options.next_sequence = kStored + 1;
  core_ = Core(options, Prng(5));
  for (std::size_t i = 0; i < kStored; ++i) {
    const std::string type = name_of(i);
    SharedRecord shared;
    shared.queue = "default";
    shared.type = type;
    LiveJob job;
    job.job.id = make_job_id(now_.wall, slot_of_queue("default"), ids_);
    job.job.sequence = i + 1;
    job.job.created_at = job.job.run_at = now_.wall;
    job.job.shared = &shared;
    core_.restore(job, now_);
  }
  EXPECT_EQ(core_.live_jobs(), kStored);
  core_.check_invariants();
  EXPECT_EQ(submit("one-more").code, Code::too_large);
  EXPECT_EQ(submit(name_of(kStored - 1)).code, Code::ok);
}

TEST_F(ManyTypesTest, AJobIsServedWhileAWorkerNamesItsType) {
  // In a queue with jobs of fewer types than a worker names, and of more.
  for (const std::size_t others : {0U, 500U}) {
    core_ = Core(CoreOptions{}, Prng(5));
    for (std::size_t i = 0; i < others; ++i) (void)submit(name_of(i));
    const JobId early = submit("early").id;
    EXPECT_FALSE(is_served(early));
    const SessionRef first = hello(1, {"early", "late", "unknown"});
    const SessionRef second = hello(2, {"early", "other"});
    core_.check_invariants();
    const JobId late = submit("late").id;
    const JobId nobody = submit("nobody").id;
    core_.check_invariants();
    EXPECT_TRUE(is_served(early));
    EXPECT_TRUE(is_served(late));
    EXPECT_FALSE(is_served(nobody));
    core_.apply(WorkerGoodbye{first}, now_, effects_);
    core_.check_invariants();
    EXPECT_TRUE(is_served(early));
    EXPECT_FALSE(is_served(late));
    core_.apply(WorkerGoodbye{second}, now_, effects_);
    core_.check_invariants();
    EXPECT_FALSE(is_served(early));
  }
}

TEST_F(ManyTypesTest, ManyTokensFindTheirPlacesInOneWalk) {
  constexpr std::size_t kJobs = 2000;
  for (std::size_t i = 0; i < kJobs; ++i) (void)submit("exec");
  const SessionRef gone = hello(1, {"exec"});
  std::vector<TokenOf> tokens = dispatched();
  ASSERT_EQ(tokens.size(), kJobs);
  core_.apply(WorkerGoodbye{gone}, now_, effects_);
  // Another one holds jobs that were dispatched later, and says that it has all of these too, the last one first.
  for (std::size_t i = 0; i < kJobs; ++i) (void)submit("other");
  (void)hello(2, {"other"});
  const std::vector<TokenOf> later = dispatched();
  ASSERT_EQ(later.size(), kJobs);
  tokens.insert(tokens.end(), later.begin(), later.end());
  std::reverse(tokens.begin(), tokens.end());
  (void)hello(2, {"other"}, tokens);
  EXPECT_EQ(std::count(effects_.codes.begin(), effects_.codes.end(), Code::ok), static_cast<std::ptrdiff_t>(2 * kJobs));
  EXPECT_LE(core_.counters().reattach_steps, 3 * kJobs);
  core_.check_invariants();
}

}  // namespace
}  // namespace rota::queue

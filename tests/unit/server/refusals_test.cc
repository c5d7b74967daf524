// Every code with which the server itself refuses, by the shortest way to it. What the core answers is in the scripts of
// tests/scenario; between them every code of the protocol is answered, but for those that only others use.
#include <gtest/gtest.h>

#include <memory>
#include <set>
#include <string>

#include "common/base/limits.h"
#include "tests/unit/server/engine_rig.h"

namespace rota::server {
namespace {

constexpr Route kClient = 1, kWorker = 2;

class Refusals : public testing::Test {
 protected:
  void connect(EngineOptions options = {}) {
    rig_ = std::make_unique<EngineRig>(store::make_memory({}, 64 * limits::MiB), std::move(options));
    rig_->connect_client(kClient);
  }
  void ask(const wire::Message& message) {
    rig_->turn(Side::client, kClient, message);
    rig_->settle();
  }
  // The answer, and that it was counted.
  void expect(Code code, Route route = kClient) {
    ASSERT_GT(rig_->unread(route), 0U);
    const Answer answer = rig_->answer(route);
    const auto* error = answer.as<wire::ErrorReply>();
    ASSERT_NE(nullptr, error);
    EXPECT_EQ(code_name(code), code_name(error->code)) << error->message;
    EXPECT_FALSE(error->message.empty());
    EXPECT_EQ(1U, rig_->engine().counters().refusals[static_cast<std::size_t>(code)]);
    rig_->core().check_invariants();
  }
  std::unique_ptr<EngineRig> rig_;
};

TEST_F(Refusals, NoSessionBeforeAHello) {
  connect();
  rig_->turn(Side::worker, kWorker, {5, wire::Renew{}});
  expect(Code::no_session, kWorker);
}

TEST_F(Refusals, VersionThatNobodySpeaks) {
  connect();
  wire::Hello hello;
  hello.version_min = hello.version_max = 99;
  rig_->turn(Side::client, 7, {1, hello});
  expect(Code::version, 7);
}

TEST_F(Refusals, BadMessage) {
  connect();
  rig_->turn_raw(Side::client, kClient, "no message");
  expect(Code::bad_message);
}

TEST_F(Refusals, TooLargePayload) {
  EngineOptions options;
  options.max_payload = 3;
  connect(options);
  ask(EngineRig::submit(2, {rig_->new_id()}, "more than three"));
  expect(Code::too_large);
}

TEST_F(Refusals, NotFoundQueue) {
  connect();
  wire::List list;
  list.queue = "nowhere";
  ask({2, list});
  for (int turn = 0; turn < 8 && rig_->unread(kClient) == 0; ++turn) {  // a list takes several
    rig_->end_turn();
    rig_->settle();
  }
  expect(Code::not_found);
}

TEST_F(Refusals, ConflictOfAnFsyncJobWithABrokerWithoutADisk) {
  EngineOptions options;
  options.keeps_on_disk = false;
  connect(options);
  ask(EngineRig::submit(2, {rig_->new_id()}));
  expect(Code::conflict);
}

TEST_F(Refusals, ShuttingDown) {
  connect();
  rig_->engine().begin_shutdown();
  ask(EngineRig::submit(2, {rig_->new_id()}));
  expect(Code::shutting_down);
}

TEST_F(Refusals, RetryLaterWhenTooManyPurgesAreUnderWay) {
  connect();
  std::string frame;
  for (std::uint32_t i = 0; i <= limits::kMaxBulkRuns; ++i) {
    wire::Admin purge;
    purge.verb = "purge";
    purge.arguments = {{"queue", "default"}};
    frame.clear();
    wire::encode({10 + i, purge}, frame);
    rig_->engine().on_frame(Side::client, kClient, frame, rig_->now());
  }
  expect(Code::retry_later);
}

TEST_F(Refusals, StoreFull) {
  rig_ = std::make_unique<EngineRig>(store::make_memory({}, 1));
  rig_->connect_client(kClient);
  wire::JobOptions options;
  ask(EngineRig::submit(2, {rig_->new_id()}, std::string(1000, 'x'), options));
  if (rig_->answer(kClient).as<wire::Submitted>() != nullptr) ask(EngineRig::submit(3, {rig_->new_id()}));
  expect(Code::store_full);
}

}  // namespace
}  // namespace rota::server

#include "client/request_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace rota::client {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using namespace std::chrono_literals;

constexpr Steady kStart{1'000'000};

// A table in a session, and a hand on its clock.
class RequestTableTest : public ::testing::Test {
 protected:
  RequestTableTest() : table(Timing{}, Prng(7)) {}

  void connect() {
    table.tick(now, turn);
    ASSERT_TRUE(turn.new_socket);
    table.socket_opened(now);
    table.hello_sent(now);
    table.welcomed(now);
    table.heard(now);
    table.tick(now, turn);
  }
  // Lets the time pass until something is due, step by step as a shell would, and stops there.
  void run_to_next() {
    for (int i = 0; i < 1000; ++i) {
      const Steady next = table.next_event();
      ASSERT_LT(next, kNeverSteady);
      now = std::max(now, next);
      table.tick(now, turn);
      if (turn.new_socket || turn.hello || turn.ping || turn.resumed || !turn.send.empty() || !turn.expired.empty()) return;
    }
    FAIL() << "nothing ever became due";
  }
  wire::Request open_and_send(Millis deadline = 1min) {
    const wire::Request request = table.open(now, now + deadline);
    table.sent(request, now);
    return request;
  }

  RequestTable table;
  RequestTable::Turn turn;
  Steady now = kStart;
};

TEST_F(RequestTableTest, FirstTickAsksForASocket) {
  table.tick(now, turn);
  EXPECT_TRUE(turn.new_socket);
  EXPECT_FALSE(turn.silent);
}

TEST_F(RequestTableTest, HelloIsRepeatedUntilTheSocketTakesIt) {
  table.tick(now, turn);
  table.socket_opened(now);
  table.tick(now, turn);
  EXPECT_TRUE(turn.hello);
  table.hello_refused(now);
  table.tick(now, turn);
  EXPECT_FALSE(turn.hello);
  run_to_next();
  EXPECT_TRUE(turn.hello);
  EXPECT_LE(now - kStart, 60ms);
}

TEST_F(RequestTableTest, UnansweredHelloLeadsToANewSocket) {
  table.tick(now, turn);
  table.socket_opened(now);
  table.hello_sent(now);
  run_to_next();
  EXPECT_TRUE(turn.new_socket);
  EXPECT_EQ(now - kStart, limits::kGreeting);
}

TEST_F(RequestTableTest, RequestsBeforeTheWelcomeGoOutWithIt) {
  const wire::Request first = table.open(now, now + 1min);
  const wire::Request second = table.open(now, now + 1min);
  table.tick(now, turn);
  EXPECT_THAT(turn.send, IsEmpty());
  table.socket_opened(now);
  table.hello_sent(now);
  table.welcomed(now);
  EXPECT_FALSE(table.may_send());
  table.tick(now, turn);
  EXPECT_TRUE(turn.resumed);
  EXPECT_THAT(turn.send, ElementsAre(first, second));
  EXPECT_TRUE(table.may_send());
}

TEST_F(RequestTableTest, UnansweredRequestIsResentWithGrowingPauses) {
  connect();
  const wire::Request request = open_and_send(10min);
  std::vector<Millis> pauses;
  Steady last = now;
  while (pauses.size() < 5) {
    run_to_next();
    if (turn.ping) {
      table.ping_sent(now);
      table.heard(now);  // the broker lives, only the answer is missing
    }
    if (turn.send.empty()) continue;
    ASSERT_THAT(turn.send, ElementsAre(request));
    pauses.push_back(now - last);
    last = now;
    table.sent(request, now);
  }
  EXPECT_GE(pauses[0], limits::kFirstResend * 8 / 10);
  EXPECT_LE(pauses[0], limits::kFirstResend * 12 / 10);
  EXPECT_GT(pauses[1], pauses[0]);
  for (const Millis pause : pauses) EXPECT_LE(pause, limits::kLastResend * 12 / 10);
}

TEST_F(RequestTableTest, ClosedRequestIsNeverDueAgain) {
  connect();
  table.close(open_and_send());
  EXPECT_EQ(table.open_count(), 0U);
  now = now + 1h;
  table.tick(now, turn);
  EXPECT_THAT(turn.send, IsEmpty());
  EXPECT_THAT(turn.expired, IsEmpty());
}

TEST_F(RequestTableTest, DeadlineEndsARequestEvenWithoutABroker) {
  const wire::Request request = table.open(now, now + 10s);
  now = now + 10s;
  table.tick(now, turn);
  EXPECT_THAT(turn.expired, ElementsAre(request));
  EXPECT_FALSE(table.is_open(request));
}

TEST_F(RequestTableTest, NothingIsResentBeyondTheDedupWindow) {
  connect();
  const wire::Request request = table.open(now, now + 1h, now + 3s);
  table.sent(request, now);
  std::vector<Steady> sends;
  while (now < kStart + 10min) {
    run_to_next();
    if (turn.ping) table.ping_sent(now), table.heard(now);
    if (!turn.send.empty()) {
      sends.push_back(now);
      table.sent(request, now);
    }
  }
  EXPECT_EQ(sends.size(), 1U);
  EXPECT_TRUE(table.is_open(request));
}

TEST_F(RequestTableTest, RefusedForNowIsRepeatedAtItsTime) {
  connect();
  const wire::Request request = open_and_send();
  table.defer(request, now + 500ms);
  run_to_next();
  EXPECT_THAT(turn.send, ElementsAre(request));
  EXPECT_EQ(now - kStart, 500ms);
}

TEST_F(RequestTableTest, DeadlineBeatsADeferral) {
  connect();
  const wire::Request request = open_and_send(300ms);
  table.defer(request, now + 500ms);
  run_to_next();
  EXPECT_THAT(turn.expired, ElementsAre(request));
}

TEST_F(RequestTableTest, PausesAfterRefusalsGrowToABound) {
  EXPECT_GE(table.refusal_pause(1s, 0), 800ms);
  EXPECT_LE(table.refusal_pause(100ms, 0), 120ms);
  EXPECT_GT(table.refusal_pause(100ms, 3), 500ms);
  EXPECT_LE(table.refusal_pause(100ms, 30), limits::kLongestRefusalPause * 12 / 10);
  EXPECT_GE(table.refusal_pause(5s, 30), 4s);  // the broker's own hint is never undercut
}

TEST_F(RequestTableTest, WaitingAloneIsPingedEveryFiveSeconds) {
  connect();
  table.expect_notices(true, now);
  run_to_next();
  EXPECT_TRUE(turn.ping);
  EXPECT_EQ(now - kStart, limits::kPingInterval);
  table.ping_sent(now);
  table.heard(now);
  run_to_next();
  EXPECT_TRUE(turn.ping);
  EXPECT_EQ(now - kStart, 2 * limits::kPingInterval);
}

// Who waits a second at a time: nothing is awaited between, and nothing else is ever sent.
TEST_F(RequestTableTest, ShortWaitsInALoopArePingedLikeALongOne) {
  connect();
  int pings = 0;
  for (int i = 0; i < 60; ++i) {
    table.expect_notices(true, now);
    table.tick(now, turn);
    ASSERT_FALSE(turn.new_socket);
    if (turn.ping) {
      ++pings;
      table.ping_sent(now);
      table.heard(now);
    }
    table.expect_notices(false, now);
    now = now + 1s;
  }
  EXPECT_EQ(pings, 11);
}

TEST_F(RequestTableTest, ShortWaitsInALoopNoticeASilentBroker) {
  connect();
  const Steady start = now;
  do {
    ASSERT_LT(now - start, 1min);
    now = now + 1s;
    table.expect_notices(true, now);
    table.tick(now, turn);
    if (turn.ping) table.ping_sent(now);
    table.expect_notices(false, now);
  } while (!turn.new_socket);
  EXPECT_TRUE(turn.silent);
}

TEST_F(RequestTableTest, PingThatNobodyLookedForTheAnswerOfIsNoSilence) {
  connect();
  table.expect_notices(true, now);
  run_to_next();
  ASSERT_TRUE(turn.ping);
  table.ping_sent(now);
  table.expect_notices(false, now);
  now = now + 1h;
  table.expect_notices(true, now);
  table.tick(now, turn);
  EXPECT_FALSE(turn.new_socket);
  EXPECT_TRUE(turn.ping);
}

TEST_F(RequestTableTest, OpenRequestIsProbedEarlier) {
  connect();
  static_cast<void>(open_and_send());
  run_to_next();
  EXPECT_TRUE(turn.ping);
  EXPECT_EQ(now - kStart, limits::kProbeInterval);
}

TEST_F(RequestTableTest, IdleConnectionIsLeftInPeace) {
  connect();
  EXPECT_EQ(table.next_event(), kNeverSteady);
  now = now + 1h;
  table.tick(now, turn);
  EXPECT_FALSE(turn.ping);
  EXPECT_FALSE(turn.new_socket);
}

TEST_F(RequestTableTest, SilenceCountsFromTheFirstPendingRequest) {
  connect();
  now = now + 1h;  // idle: nothing was heard, which means nothing
  static_cast<void>(open_and_send());
  table.tick(now, turn);
  EXPECT_FALSE(turn.new_socket);
}

TEST_F(RequestTableTest, FifteenSecondsOfSilenceOpenANewSocketAndRepeatEverything) {
  connect();
  const wire::Request request = open_and_send(10min);
  table.expect_notices(true, now);
  while (true) {
    run_to_next();
    if (turn.new_socket) break;
    if (turn.ping) table.ping_sent(now);
    for (const wire::Request due : turn.send) table.sent(due, now);
  }
  EXPECT_TRUE(turn.silent);
  EXPECT_EQ(now - kStart, limits::kSilence);
  table.socket_opened(now);
  table.hello_sent(now);
  table.welcomed(now);
  table.tick(now, turn);
  EXPECT_TRUE(turn.resumed);
  EXPECT_THAT(turn.send, ElementsAre(request));
}

TEST_F(RequestTableTest, LostContactWaitsBetweenTwoSockets) {
  connect();
  table.contact_lost(now);
  table.tick(now, turn);
  EXPECT_FALSE(turn.new_socket);
  run_to_next();
  EXPECT_TRUE(turn.new_socket);
  EXPECT_LE(now - kStart, limits::kReopenInterval * 12 / 10);
}

TEST_F(RequestTableTest, HoldOffOfTheBrokerIsRespected) {
  connect();
  table.contact_lost(now, 5s);
  run_to_next();
  EXPECT_TRUE(turn.new_socket);
  EXPECT_EQ(now - kStart, 5s);
}

TEST_F(RequestTableTest, ManyClosedRequestsLeaveNothingBehind) {
  connect();
  for (int i = 0; i < 100'000; ++i) {
    table.close(open_and_send());
    if (i % 64 == 0) table.tick(now, turn);
  }
  const wire::Request last = open_and_send(5s);
  int events = 0;
  while (table.is_open(last)) {
    run_to_next();
    if (turn.ping) table.ping_sent(now), table.heard(now);
    for (const wire::Request due : turn.send) table.sent(due, now);
    ASSERT_LT(++events, 50);
  }
}

}  // namespace
}  // namespace rota::client

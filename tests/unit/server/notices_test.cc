#include "broker/server/notices.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "common/base/peer_limits.h"
#include "common/base/prng.h"
#include "common/wire/codec.h"

namespace rota::server {
namespace {

// Keeps what is told; `held` says in which batch it waits.
class RecordingSink final : public Notices::Sink {
 public:
  struct Told {
    Route client = 0;
    wire::Request request = 0;
    JobId id;
    std::string result;
    std::uint64_t result_size = 0;
  };
  std::vector<Told> told;
  std::size_t frames = 0;
  std::map<Route, std::size_t> open;
  std::uint64_t batch = 0, released_batch = 0;

  [[nodiscard]] std::size_t open_bytes(Route client) const override {
    const auto it = open.find(client);
    return it == open.end() ? 0 : it->second;
  }
  [[nodiscard]] std::uint64_t send(Route client, std::string_view frame, bool /*at_once*/) override {
    ++frames;
    const Result<wire::Message> message = decoder_.decode(frame);
    if (!message.ok()) ADD_FAILURE() << message.error().message;
    ROTA_CHECK(message.ok());
    for (const wire::NotifyItem& item : std::get<wire::Notify>(message->body).items) {
      told.push_back({client, message->request, item.id, std::string(item.report.result), item.result_size});
    }
    open[client] += frame.size();
    return batch;
  }
  [[nodiscard]] std::uint64_t released() const override { return released_batch; }

 private:
  wire::Decoder decoder_;
};

class NoticesTest : public testing::Test {
 protected:
  Waiters waiters;
  Notices notices{waiters};
  RecordingSink sink;

  JobId waited_for(Route client, wire::Request first, std::size_t requests, bool with_result = false) {
    const JobId job = make_job_id(Wall{1'800'000'000'000}, slot_of_queue("default"), random_);
    for (std::size_t i = 0; i < requests; ++i) EXPECT_TRUE(waiters.add(job, {client, first + i, with_result}));
    return job;
  }
  void end(const JobId& job, std::size_t result_bytes = 0) {
    const std::string result(result_bytes, 'r');
    wire::Report report;
    report.worker = "w1";
    report.result = result;
    std::string bytes;
    wire::encode_report(report, bytes);
    queue::OutcomeRecord outcome;
    outcome.id = job;
    outcome.report = bytes;
    notices.job_ended(outcome, Durability::fsync);
  }
  void turn() {
    notices.begin_turn();
    notices.flush(sink);
  }

 private:
  Prng random_{7};
};

TEST_F(NoticesTest, AReportIsKeptOnceHoweverManyWait) {
  end(waited_for(1, 10, 300, true), limits::kMaxInlineResult);
  EXPECT_GT(notices.report_bytes(), limits::kMaxInlineResult);
  EXPECT_LT(notices.report_bytes(), 2 * limits::kMaxInlineResult);
  while (!notices.empty()) turn();
  ASSERT_EQ(300U, sink.told.size());
  for (const auto& told : sink.told) EXPECT_EQ(limits::kMaxInlineResult, told.result.size());
  EXPECT_EQ(0U, notices.report_bytes());
}

TEST_F(NoticesTest, AResultThatNoNoticeCarriesIsNotKept) {
  end(waited_for(1, 10, 3, false), limits::kMaxInlineResult);
  end(waited_for(1, 10, 3, true), limits::kMaxInlineResult + 1);
  EXPECT_LT(notices.report_bytes(), 1000U);
  turn();
  ASSERT_EQ(6U, sink.told.size());
  for (const auto& told : sink.told) {
    EXPECT_EQ("", told.result);
    EXPECT_GE(told.result_size, limits::kMaxInlineResult);
  }
}

TEST_F(NoticesTest, ClientsThatLeaveMuchOpenAreToldWithoutResults) {
  sink.open[2] = limits::kMaxOpenNotices;
  const JobId job = waited_for(1, 10, 1, true);
  EXPECT_TRUE(waiters.add(job, {2, 10, true}));
  end(job, 1000);
  turn();
  ASSERT_EQ(2U, sink.told.size());
  EXPECT_EQ(1000U, sink.told[0].result.size());
  EXPECT_EQ(0U, sink.told[1].result.size());
  EXPECT_EQ(1000U, sink.told[1].result_size);
}

TEST_F(NoticesTest, WhatOneFlushTellsCountsAsOpen) {
  const std::size_t fit = limits::kMaxOpenNotices / limits::kMaxInlineResult;
  end(waited_for(1, 10, fit + 100, true), limits::kMaxInlineResult);
  while (!notices.empty()) turn();
  ASSERT_EQ(fit + 100, sink.told.size());
  EXPECT_LE(sink.open[1], limits::kMaxOpenNotices + 100 * limits::KiB);
  EXPECT_EQ("", sink.told.back().result);
}

TEST_F(NoticesTest, ATurnTellsABoundedNumberAndTheRestFollows) {
  const JobId first = waited_for(1, 10, limits::kTurnNotices);
  const JobId second = waited_for(1, 10, limits::kTurnNotices);
  EXPECT_TRUE(waiters.add(first, {2, 10, false}));
  end(first);
  end(second);
  turn();
  EXPECT_EQ(limits::kTurnNotices, sink.told.size());
  EXPECT_TRUE(notices.is_due(0));
  notices.flush(sink);  // the same turn
  EXPECT_EQ(limits::kTurnNotices, sink.told.size());
  turn();
  EXPECT_EQ(2 * limits::kTurnNotices, sink.told.size());
  EXPECT_FALSE(notices.empty());
  turn();
  EXPECT_TRUE(notices.empty());
  EXPECT_FALSE(notices.is_due(0));
  ASSERT_EQ(2 * limits::kTurnNotices + 1, sink.told.size());
  EXPECT_EQ(0U, waiters.size());
  // The first ended job comes first.
  EXPECT_EQ(first, sink.told.front().id);
  EXPECT_EQ(second, sink.told.back().id);
}

TEST_F(NoticesTest, ATurnTellsABoundedNumberOfBytes) {
  const std::size_t many = 2 * limits::kTurnNoticeBytes / limits::kMaxInlineResult;
  for (std::size_t i = 0; i < many; ++i) end(waited_for(i + 1, 10, 1, true), limits::kMaxInlineResult);
  turn();
  EXPECT_GT(sink.told.size(), many / 4);
  EXPECT_LT(sink.told.size(), many * 3 / 4);
  while (!notices.empty()) turn();
  EXPECT_EQ(many, sink.told.size());
}

TEST_F(NoticesTest, WhileACommitHoldsMuchNothingMoreIsTold) {
  sink.batch = 7;
  sink.released_batch = 6;
  const std::size_t fit = limits::kMaxHeldNotices / limits::kMaxInlineResult;
  for (std::size_t i = 0; i < 2 * fit; ++i) end(waited_for(i + 1, 10, 1, true), limits::kMaxInlineResult);
  for (int turns = 0; turns < 10; ++turns) turn();
  EXPECT_LT(sink.told.size(), 2 * fit);
  EXPECT_FALSE(notices.is_due(6));
  EXPECT_TRUE(notices.is_due(7));
  sink.released_batch = 7;
  sink.batch = 8;
  turn();
  turn();
  EXPECT_EQ(2 * fit, sink.told.size());
}

TEST_F(NoticesTest, EndsThatPileUpAreKeptWithoutResults) {
  const std::size_t many = 2 * limits::kMaxUntoldReports / limits::kMaxInlineResult;
  for (std::size_t i = 0; i < many; ++i) end(waited_for(i + 1, 10, 1, true), limits::kMaxInlineResult);
  EXPECT_LE(notices.report_bytes(), limits::kMaxUntoldReports + limits::MiB);
  while (!notices.empty()) turn();
  ASSERT_EQ(many, sink.told.size());
  EXPECT_EQ(limits::kMaxInlineResult, sink.told.front().result.size());
  EXPECT_EQ("", sink.told.back().result);
  EXPECT_EQ(limits::kMaxInlineResult, sink.told.back().result_size);
}

TEST_F(NoticesTest, AClientThatLeftIsNotWaitedFor) {
  const JobId job = waited_for(1, 10, 2 * limits::kTurnNotices);
  EXPECT_TRUE(waiters.add(job, {2, 10, false}));
  end(job);
  turn();
  waiters.forget_client(1);
  while (waiters.sweep(4096)) continue;
  turn();
  EXPECT_TRUE(notices.empty());
  EXPECT_EQ(0U, waiters.size());
}

TEST_F(NoticesTest, AnEndThatWaitsIsToldThoughTheJobIsWaitedForAgain) {
  end(waited_for(1, 10, limits::kTurnNotices));
  const JobId job = waited_for(1, 10, 2);
  end(job);
  turn();
  EXPECT_TRUE(waiters.add(job, {1, 12, false}));  // it was retried meanwhile
  turn();
  ASSERT_EQ(limits::kTurnNotices + 2, sink.told.size());
  EXPECT_EQ(job, sink.told.back().id);
  EXPECT_GT(12U, sink.told.back().request);
  EXPECT_EQ(1U, waiters.size());
}

// What a client waits for alone is not behind those who wait for others' jobs in thousands.
TEST_F(NoticesTest, WhoWaitsAloneDoesNotStandBehindACrowd) {
  const JobId crowded = waited_for(1, 1, 3 * limits::kTurnNotices);
  const JobId lone = waited_for(2, 1, 1, true);
  end(crowded);
  end(lone, 100);
  turn();
  EXPECT_TRUE(std::any_of(sink.told.begin(), sink.told.end(), [&](const auto& told) { return told.id == lone; }));
  EXPECT_EQ(limits::kTurnNotices, sink.told.size());
  // And a crowd does not stand behind thousands of those.
  for (std::size_t i = 0; i < 2 * limits::kTurnNotices; ++i) end(waited_for(3, 10 + i, 1));
  sink.told.clear();
  turn();
  const auto of_crowd =
      std::count_if(sink.told.begin(), sink.told.end(), [&](const auto& told) { return told.id == crowded; });
  EXPECT_EQ(limits::kTurnNotices / 2, static_cast<std::size_t>(of_crowd));
  EXPECT_EQ(limits::kTurnNotices, sink.told.size());
  while (!notices.empty()) turn();
  EXPECT_EQ(0U, notices.report_bytes());
}

// A client that reads nothing gets no results, so they take nothing of a turn.
TEST_F(NoticesTest, ResultsThatAreLeftOutTakeNothingOfATurn) {
  const std::size_t many = 4 * limits::kTurnNoticeBytes / limits::kMaxInlineResult;
  const JobId job = waited_for(1, 1, many, true);
  sink.open[1] = limits::kMaxOpenNotices + 1;
  end(job, limits::kMaxInlineResult);
  turn();
  EXPECT_EQ(many, sink.told.size());
  turn();
  EXPECT_TRUE(notices.empty());
}

}  // namespace
}  // namespace rota::server

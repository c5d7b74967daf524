#include "broker/store/staged_batch.h"

#include <gtest/gtest.h>

#include <memory>
#include <vector>

#include "tests/conformance/store_changes.h"

namespace rota::store {
namespace {

using test::Changes;
using test::Job;

class StagedBatchTest : public testing::Test {
 protected:
  void stage(const Changes& changes) {
    for (const queue::Change& change : changes.all()) batch_.stage(change);
  }
  std::vector<std::uint64_t> dispatches() {
    std::vector<std::uint64_t> numbers;
    for (const StagedLease& staged : batch_.buffers().leases) {
      if (!staged.dropped) numbers.push_back(staged.lease.token.dispatch);
    }
    return numbers;
  }

  StagedBatch batch_{std::make_shared<BatchPool>(), true};
};

TEST_F(StagedBatchTest, ALateLeaseMovesNoOther) {
  stage(Changes().lease(1, 100));
  const std::size_t bytes_before = batch_.bytes();
  for (std::uint64_t dispatch = 50; dispatch > 0; --dispatch) stage(Changes().lease(dispatch + 1, dispatch));
  EXPECT_EQ(batch_.buffers().leases.size(), 1U);
  EXPECT_EQ(batch_.bytes(), bytes_before + 50 * sizeof(StagedLease));
  batch_.merge_leases();
  std::vector<std::uint64_t> expected;
  for (std::uint64_t dispatch = 1; dispatch <= 50; ++dispatch) expected.push_back(dispatch);
  expected.push_back(100);
  EXPECT_EQ(dispatches(), expected);
}

TEST_F(StagedBatchTest, ALateLeaseEndsAndComesAgain) {
  stage(Changes().lease(1, 9).lease(2, 4).lease(3, 2).lease(4, 10));
  stage(Changes().end_lease(2, 4).end_lease(3, 2).end_lease(5, 3).lease(3, 2));
  EXPECT_EQ(batch_.buffers().ended_leases, std::vector<std::uint64_t>{3});
  batch_.merge_leases();
  EXPECT_EQ(dispatches(), (std::vector<std::uint64_t>{2, 9, 10}));
}

TEST_F(StagedBatchTest, AResetForgetsLateLeases) {
  stage(Changes().lease(1, 9).lease(2, 4));
  batch_.reset();
  EXPECT_TRUE(batch_.empty());
  EXPECT_TRUE(batch_.buffers().late_leases.empty());
}

TEST_F(StagedBatchTest, WhatCameAndWentLeavesNoEndAndNoState) {
  queue::StateRecord state;
  state.sequence = 1;
  stage(Changes().accept(Job{.number = 1}).accept(Job{.number = 2}).accept(Job{.number = 3}).change(state));
  EXPECT_FALSE(batch_.is_dropped(1));
  // The end of one is the last when another is forgotten, and still the last when its own turn comes.
  stage(Changes().finish(1).forget(2).forget(1));
  EXPECT_TRUE(batch_.buffers().ends.empty());
  EXPECT_TRUE(batch_.is_dropped(1));
  EXPECT_TRUE(batch_.is_dropped(2));
  EXPECT_FALSE(batch_.is_dropped(3));
  EXPECT_FALSE(batch_.is_dropped(4));
  // The id may come once more: the end that was taken back does not count.
  stage(Changes().accept(Job{.number = 1, .sequence = 9}));
  stage(Changes().finish(1, 0, "r", test::kStart + Millis{20}, 9).forget(1, 9));
  EXPECT_TRUE(batch_.buffers().ends.empty());
  EXPECT_TRUE(batch_.is_dropped(9));
}

TEST_F(StagedBatchTest, WhatEndedBeforeIsForgottenByTheStore) {
  stage(Changes().accept(Job{.number = 1}).accept(Job{.number = 2}).finish(1).revive(1, 1, 7).finish(2));
  stage(Changes().forget(1));
  const std::vector<StagedEnd>& ends = batch_.buffers().ends;
  ASSERT_EQ(ends.size(), 4U);
  EXPECT_EQ(ends.back().kind, StagedEnd::Kind::forget);
  EXPECT_FALSE(batch_.is_dropped(1));
}

}  // namespace
}  // namespace rota::store

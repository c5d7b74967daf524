#include "broker/server/waiters.h"

#include <gtest/gtest.h>

#include "common/base/uuid.h"

namespace rota::server {
namespace {

std::size_t waiting_for(Waiters& waiters, const JobId& job) {
  std::vector<Waiters::Waiter> found;
  waiters.take(job, found);
  return found.size();
}

TEST(Waiters, EveryWaiterOfAJobIsTold) {
  Waiters waiters;
  const JobId job = random_uuid();
  EXPECT_TRUE(waiters.add(job, {1, 10, false}));
  EXPECT_TRUE(waiters.add(job, {2, 10, false}));
  EXPECT_TRUE(waiters.add(job, {1, 11, false}));
  EXPECT_EQ(3U, waiting_for(waiters, job));
  EXPECT_EQ(0U, waiting_for(waiters, job));
  EXPECT_EQ(0U, waiters.size());
}

TEST(Waiters, TheSameWaitTwiceIsOne) {
  Waiters waiters;
  const JobId job = random_uuid();
  EXPECT_TRUE(waiters.add(job, {1, 10, false}));
  EXPECT_TRUE(waiters.add(job, {1, 10, true}));
  std::vector<Waiters::Waiter> found;
  waiters.take(job, found);
  ASSERT_EQ(1U, found.size());
  EXPECT_TRUE(found[0].with_result);
}

TEST(Waiters, WaitsOfADepartedClientAreSweptInSlices) {
  Waiters waiters;
  std::vector<JobId> jobs;
  for (int i = 0; i < 100; ++i) {
    jobs.push_back(random_uuid());
    EXPECT_TRUE(waiters.add(jobs.back(), {1, 10, false}));
    EXPECT_TRUE(waiters.add(jobs.back(), {2, 10, false}));
  }
  waiters.forget_client(1);
  EXPECT_TRUE(waiters.sweep(30));
  (void)waiting_for(waiters, jobs[99]);  // taken while its client is swept, head and middle of the list
  (void)waiting_for(waiters, jobs[69]);
  (void)waiting_for(waiters, jobs[10]);
  (void)waiting_for(waiters, jobs[0]);
  EXPECT_FALSE(waiters.sweep(1000));
  EXPECT_EQ(96U, waiters.size());
  for (int i = 1; i < 99; ++i) {
    const bool taken = i == 69 || i == 10;
    EXPECT_EQ(taken ? 0U : 1U, waiting_for(waiters, jobs[static_cast<std::size_t>(i)])) << i;
  }
  EXPECT_EQ(0U, waiters.size());
}

}  // namespace
}  // namespace rota::server

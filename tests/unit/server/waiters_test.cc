#include "broker/server/waiters.h"

#include <gtest/gtest.h>

#include "common/base/uuid.h"

namespace rota::server {
namespace {

std::vector<Waiters::Waiter> all_of(Waiters& waiters, Waiters::List list) {
  std::vector<Waiters::Waiter> found;
  Waiters::Waiter one;
  while (list != Waiters::kNobody && waiters.next(list, one)) found.push_back(one);
  return found;
}

std::size_t waiting_for(Waiters& waiters, const JobId& job) { return all_of(waiters, waiters.take(job).list).size(); }

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
  const Waiters::Taken taken = waiters.take(job);
  EXPECT_TRUE(taken.with_result);
  const std::vector<Waiters::Waiter> found = all_of(waiters, taken.list);
  ASSERT_EQ(1U, found.size());
  EXPECT_TRUE(found[0].with_result);
}

TEST(Waiters, ATakenListLosesThoseWhoLeaveAndGainsNobody) {
  Waiters waiters;
  const JobId job = random_uuid();
  for (Route client = 1; client <= 5; ++client) EXPECT_TRUE(waiters.add(job, {client, 10, client == 3}));
  const Waiters::Taken taken = waiters.take(job);
  EXPECT_TRUE(taken.with_result);
  EXPECT_EQ(Waiters::kNobody, waiters.take(job).list);
  EXPECT_TRUE(waiters.add(job, {6, 10, false}));
  for (const Route gone : {Route{1}, Route{3}, Route{5}}) waiters.forget_client(gone);  // both ends and the middle
  EXPECT_FALSE(waiters.sweep(100));
  EXPECT_EQ(3U, waiters.size());
  const std::vector<Waiters::Waiter> found = all_of(waiters, taken.list);
  ASSERT_EQ(2U, found.size());
  EXPECT_EQ(4U, found[0].client);
  EXPECT_EQ(2U, found[1].client);
  EXPECT_EQ(1U, waiting_for(waiters, job));
  EXPECT_EQ(0U, waiters.size());
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

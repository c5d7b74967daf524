#include "broker/queue/ready_queue.h"

#include <gtest/gtest.h>

#include <set>

namespace rota::queue {
namespace {

class ReadyQueueTest : public testing::Test {
 protected:
  JobIndex job(Sequence sequence, int priority = 0) {
    const JobIndex index = jobs_.insert(make_job_id(Wall{1}, 0, random_));
    jobs_[index].sequence = sequence;
    jobs_[index].priority = static_cast<std::int8_t>(priority);
    return index;
  }
  Sequence pop() {
    const JobIndex best = queue_.best(jobs_);
    if (best == kNone) return 0;
    queue_.remove(jobs_, best);
    return jobs_[best].sequence;
  }

  Prng random_{5};
  JobTable jobs_{random_};
  ReadyQueue queue_;
};

TEST_F(ReadyQueueTest, EmptyHasNoBest) {
  EXPECT_TRUE(queue_.empty());
  EXPECT_EQ(queue_.best(jobs_), kNone);
}

TEST_F(ReadyQueueTest, HigherPriorityFirstThenLowerSequence) {
  queue_.push(jobs_, job(1, -128));
  queue_.push(jobs_, job(2, 0));
  queue_.push(jobs_, job(3, 127));
  queue_.push(jobs_, job(4, 0));
  EXPECT_EQ(pop(), 3U);
  EXPECT_EQ(pop(), 2U);
  EXPECT_EQ(pop(), 4U);
  EXPECT_EQ(pop(), 1U);
  EXPECT_EQ(pop(), 0U);
}

TEST_F(ReadyQueueTest, JobsOutOfOrderAreSortedIn) {
  for (const Sequence sequence : {10, 30, 20, 5, 25, 40, 7}) queue_.push(jobs_, job(sequence));
  for (const Sequence sequence : {5, 7, 10, 20, 25, 30, 40}) EXPECT_EQ(pop(), static_cast<Sequence>(sequence));
}

TEST_F(ReadyQueueTest, AnyThroughFindsTheOldOnesInListAndTree) {
  queue_.push(jobs_, job(10));
  queue_.push(jobs_, job(30));
  queue_.push(jobs_, job(20));
  queue_.push(jobs_, job(15, 3));
  EXPECT_EQ(queue_.any_through(jobs_, 9), kNone);
  std::set<Sequence> found;
  for (JobIndex one = queue_.any_through(jobs_, 20); one != kNone; one = queue_.any_through(jobs_, 20)) {
    found.insert(jobs_[one].sequence);
    queue_.remove(jobs_, one);
  }
  EXPECT_EQ(found, (std::set<Sequence>{10, 15, 20}));
  EXPECT_EQ(queue_.size(), 1U);
}

TEST_F(ReadyQueueTest, AgreesWithASortedSetUnderRandomUse) {
  std::set<std::pair<Rank, JobIndex>> model;
  for (int i = 0; i < 20'000; ++i) {
    if (model.empty() || random_.below(5) < 3) {
      const JobIndex one =
          job(1 + random_.below(1'000'000) * 32'768 + static_cast<Sequence>(i), static_cast<int>(random_.below(256)) - 128);
      queue_.push(jobs_, one);
      model.emplace(jobs_[one].rank(), one);
    } else if (random_.below(2) == 0) {
      ASSERT_EQ(queue_.best(jobs_), model.begin()->second);
      queue_.remove(jobs_, model.begin()->second);
      model.erase(model.begin());
    } else {
      auto at = model.begin();
      std::advance(at, static_cast<std::ptrdiff_t>(random_.below(model.size())));
      queue_.remove(jobs_, at->second);
      model.erase(at);
    }
    ASSERT_EQ(queue_.size(), model.size());
  }
}

}  // namespace
}  // namespace rota::queue

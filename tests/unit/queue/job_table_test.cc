#include "broker/queue/job_table.h"

#include <gtest/gtest.h>

#include <set>

namespace rota::queue {
namespace {

class JobTableTest : public testing::Test {
 protected:
  JobId make_id() { return make_job_id(Wall{1'700'000'000'000 + made_++ / 100}, 0x656, random_); }

  Prng random_{3};
  std::int64_t made_ = 0;
  JobTable jobs_{random_};
};

TEST_F(JobTableTest, FindsWhatWasInsertedAndNothingElse) {
  std::vector<JobId> ids;
  for (int i = 0; i < 20'000; ++i) ids.push_back(make_id());
  for (const JobId& id : ids) EXPECT_EQ(jobs_.find(id), kNone);
  std::set<JobIndex> indexes;
  for (const JobId& id : ids) indexes.insert(jobs_.insert(id));
  EXPECT_EQ(indexes.size(), ids.size());
  for (const JobId& id : ids) EXPECT_EQ(jobs_[jobs_.find(id)].id, id);
  EXPECT_EQ(jobs_.find(make_id()), kNone);
}

TEST_F(JobTableTest, ErasedIdsAreGoneAndTheirPlacesUsedAgain) {
  const JobId first = make_id();
  const JobIndex place = jobs_.insert(first);
  jobs_[place].attempts = 7;
  jobs_.ensure_detail(place).failures = 7;
  jobs_.erase(place);
  EXPECT_EQ(jobs_.find(first), kNone);
  const JobIndex again = jobs_.insert(make_id());
  EXPECT_EQ(again, place);
  EXPECT_EQ(jobs_[again].attempts, 0U);
  EXPECT_EQ(jobs_.detail(again), nullptr);
  EXPECT_EQ(jobs_.details(), 0U);
}

TEST_F(JobTableTest, TrimFreesOnlyADetailThatSaysNothing) {
  const JobIndex job = jobs_.insert(make_id());
  jobs_.ensure_detail(job);
  jobs_.trim_detail(job);
  EXPECT_EQ(jobs_.detail(job), nullptr);
  jobs_.ensure_detail(job).consumed = {1, 1};
  jobs_.trim_detail(job);
  EXPECT_NE(jobs_.detail(job), nullptr);
}

TEST_F(JobTableTest, IdsThatDifferInOneBitAreKeptApart) {
  const JobId id = make_id();
  std::set<JobId> ids;
  for (std::size_t bit = 0; bit < 128; ++bit) {
    JobId other = id;
    other.bytes[bit / 8] = static_cast<std::uint8_t>(other.bytes[bit / 8] ^ (1U << (bit % 8)));
    ids.insert(other);
  }
  for (const JobId& one : ids) (void)jobs_.insert(one);
  for (const JobId& one : ids) EXPECT_EQ(jobs_[jobs_.find(one)].id, one);
  EXPECT_EQ(jobs_.find(id), kNone);
}

}  // namespace
}  // namespace rota::queue

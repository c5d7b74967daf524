#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <string>
#include <vector>

#include "broker/queue/core.h"
#include "broker/queue/job_table.h"

namespace rota::queue {
namespace {

class SurveyTest : public testing::Test {
 protected:
  JobId submit(std::string_view queue, std::string_view type, Millis delay = Millis{0}) {
    SubmitShared shared;
    shared.record.queue = queue;
    shared.record.type = type;
    shared.record.policy.durability = Durability::memory;
    shared.delay = delay;
    SubmitItem item;
    item.id = make_job_id(now_.wall, slot_of_queue(queue), ids_);
    Submit submit;
    submit.shared = std::span(&shared, 1);
    submit.items = std::span(&item, 1);
    effects_.clear();
    core_.apply(submit, now_, effects_);
    EXPECT_EQ(effects_.item_replies.at(0).code, Code::ok);
    return item.id;
  }
  void pass(Millis time) { now_ = {now_.steady + time, now_.wall + time}; }
  std::vector<JobId> find(SurveyFilter filter) {
    Survey survey(std::move(filter));
    slices_ = 0;
    while (!survey.is_done()) {
      core_.survey(survey);
      ++slices_;
    }
    cut_ = survey.is_cut();
    return survey.take();
  }
  static std::vector<JobId> newest_first(std::vector<JobId> ids) {
    std::sort(ids.begin(), ids.end(), std::greater<>());
    return ids;
  }

  Now now_{Steady{100'000}, Wall{1'700'000'000'000}};
  Prng ids_{3};
  Core core_{CoreOptions{}, Prng(5)};
  Effects effects_;
  std::size_t slices_ = 0;
  bool cut_ = false;
};

TEST_F(SurveyTest, FindsTheNewestFirstAndSaysWhetherThereAreMore) {
  std::vector<JobId> ids;
  for (int i = 0; i < 20; ++i) {
    ids.push_back(submit("default", "exec"));
    pass(Millis{1});
  }
  const std::vector<JobId> all = newest_first(ids);
  SurveyFilter filter;
  filter.most = 20;
  EXPECT_EQ(find(filter), all);
  EXPECT_FALSE(cut_);
  filter.most = 7;
  EXPECT_EQ(find(filter), std::vector<JobId>(all.begin(), all.begin() + 7));
  EXPECT_TRUE(cut_);
  filter.below = all[6];
  EXPECT_EQ(find(filter), std::vector<JobId>(all.begin() + 7, all.begin() + 14));
  EXPECT_TRUE(cut_);
  filter.below = all[13];
  EXPECT_EQ(find(filter), std::vector<JobId>(all.begin() + 14, all.end()));
  EXPECT_FALSE(cut_);
}

TEST_F(SurveyTest, FiltersByQueueTypeStateAndTime) {
  const JobId a = submit("default", "exec");
  pass(Millis{5});
  const JobId b = submit("other", "exec");
  const JobId c = submit("other", "resize", Millis{60'000});
  SurveyFilter filter;
  filter.queue = "other";
  EXPECT_EQ(find(filter), newest_first({b, c}));
  filter.type = "resize";
  EXPECT_EQ(find(filter), std::vector<JobId>{c});
  filter.states = state_bit(JobState::ready);
  EXPECT_TRUE(find(filter).empty());
  filter = {};
  filter.states = kQueuedStates;
  filter.since = now_.wall;
  EXPECT_EQ(find(filter), newest_first({b, c}));
  filter = {};
  filter.states = state_bit(JobState::ready);
  EXPECT_EQ(find(filter), newest_first({a, b}));
  filter.queue = "unheard-of";
  EXPECT_TRUE(find(filter).empty());
}

// A page of a deep backlog must not cost a look at all of it.
TEST_F(SurveyTest, LooksAtFewChunksOfMany) {
  std::vector<JobId> ids;
  for (std::uint32_t i = 0; i < 6 * JobTable::kChunkJobs; ++i) {
    ids.push_back(submit("default", "exec"));
    if (i % 100 == 0) pass(Millis{1});
  }
  const std::vector<JobId> all = newest_first(ids);
  SurveyFilter filter;
  filter.most = 100;
  EXPECT_EQ(find(filter), std::vector<JobId>(all.begin(), all.begin() + 100));
  EXPECT_LE(slices_, 3U);
  filter.below = all[15'000];
  EXPECT_EQ(find(filter), std::vector<JobId>(all.begin() + 15'001, all.begin() + 15'101));
  EXPECT_LE(slices_, 5U);
}

// Places of jobs that are gone are filled with new ones, out of order.
TEST_F(SurveyTest, FindsAllWherePlacesWereUsedAgain) {
  std::vector<JobId> ids;
  for (int i = 0; i < 10'000; ++i) {
    ids.push_back(submit("default", "exec"));
    if (i % 50 == 0) pass(Millis{1});
  }
  Prng random(9);
  for (int round = 0; round < 5; ++round) {
    for (int i = 0; i < 2000; ++i) {
      const std::size_t at = random.below(ids.size());
      effects_.clear();
      core_.apply(Cancel{1, 1, std::span(&ids[at], 1), {}}, now_, effects_);
      ids[at] = ids.back();
      ids.pop_back();
    }
    pass(Millis{60'000});
    effects_.clear();
    core_.tick(now_, effects_);
    for (int i = 0; i < 1500; ++i) ids.push_back(submit("default", "exec"));
    const std::vector<JobId> all = newest_first(ids);
    SurveyFilter filter;
    filter.states = kQueuedStates;
    filter.most = 500;
    std::vector<JobId> found;
    do {
      const std::vector<JobId> page = find(filter);
      found.insert(found.end(), page.begin(), page.end());
      if (!page.empty()) filter.below = page.back();
    } while (cut_);
    EXPECT_EQ(found, all);
  }
}

}  // namespace
}  // namespace rota::queue

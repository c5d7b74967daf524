#include "tests/conformance/each_engine.h"

// What list() gives, of every engine.
namespace rota::store::test {
namespace {

// A page, by the numbers of its jobs' ids.
struct Listed {
  std::vector<std::uint64_t> numbers;
  ListPage page;
};

std::uint64_t number_of(const JobId& id) {
  std::uint64_t number = 0;
  for (unsigned i = 12; i < 16; ++i) number = number << 8U | id.bytes[i];
  return number;
}

Listed list(Store& store, const ListQuery& query) {
  Listed listed;
  const auto page = store.list(query, [&](const queue::FinishedJob& job) {
    EXPECT_EQ(job.job.id, job.outcome.id);
    listed.numbers.push_back(number_of(job.job.id));
  });
  EXPECT_TRUE(page.ok()) << page.error().message;
  if (page.ok()) listed.page = *page;
  return listed;
}

using Numbers = std::vector<std::uint64_t>;

class StoreList : public EachEngine {
 protected:
  // Jobs 1 to `last`, finished; filed if their number is odd. Queue, type and state repeat every 2, 3 and 4 numbers.
  void fill(std::uint64_t last) {
    Changes odd;
    Changes even;
    for (std::uint64_t n = 1; n <= last; n += 2) finish(odd, n);
    for (std::uint64_t n = 2; n <= last; n += 2) finish(even, n);
    must_commit(*store_, odd);
    maintain_all(*store_, kStart);
    must_commit(*store_, even);
  }
  static void finish(Changes& changes, std::uint64_t n) {
    static constexpr JobState kStates[] = {JobState::succeeded, JobState::failed, JobState::cancelled, JobState::expired};
    Job job{.number = n};
    job.queue = n % 2 == 0 ? "even" : "odd";
    job.type = "type" + std::to_string(n % 3);
    job.spec = std::string(n % 5 == 0 ? 300 : 10, 's');
    changes.accept(job).finish(n, 0, "report", kStart + limits::kDefaultKeep, 0, kStates[n % 4]);
  }
};

TEST_P(StoreList, EmptyStoreGivesNothingAndNoMore) {
  const Listed listed = list(*store_, {});
  EXPECT_EQ(listed.numbers, Numbers{});
  EXPECT_FALSE(listed.page.more);
  EXPECT_EQ(listed.page.visited, 0U);
}

TEST_P(StoreList, FiledAndUnfiledJobsComeInOneOrderNewestFirst) {
  fill(9);
  const Listed listed = list(*store_, {});
  EXPECT_EQ(listed.numbers, (Numbers{9, 8, 7, 6, 5, 4, 3, 2, 1}));
  EXPECT_FALSE(listed.page.more);
  EXPECT_EQ(listed.page.visited, 9U);
}

TEST_P(StoreList, LiveJobsAreNotListed) {
  must_commit(*store_, Changes().accept(Job{.number = 1}).accept(Job{.number = 2}).finish(1));
  EXPECT_EQ(list(*store_, {}).numbers, (Numbers{1}));
}

TEST_P(StoreList, OnlyWhatMatchesEveryFilterIsGiven) {
  fill(48);
  ListQuery query;
  query.queue = "even";
  query.type = "type1";
  query.states = state_bit(JobState::succeeded) | state_bit(JobState::expired);
  Numbers expected;
  for (std::uint64_t n = 48; n > 0; --n) {
    if (n % 2 == 0 && n % 3 == 1 && (n % 4 == 0 || n % 4 == 3)) expected.push_back(n);
  }
  ASSERT_FALSE(expected.empty());
  EXPECT_EQ(list(*store_, query).numbers, expected);
  query.queue = "nobody";
  EXPECT_EQ(list(*store_, query).numbers, Numbers{});
  EXPECT_EQ(list(*store_, query).page.visited, 48U);
}

TEST_P(StoreList, PagesFollowEachOtherWithoutGapOrRepetition) {
  fill(50);
  ListQuery query;
  query.type = "type2";
  for (const std::size_t visits : {std::size_t{1}, std::size_t{7}, std::size_t{1000}}) {
    for (const std::size_t most : {std::size_t{1}, std::size_t{4}}) {
      SCOPED_TRACE(testing::Message() << "visits " << visits << ", most " << most);
      query.below = {};
      query.visits = visits;
      query.most = most;
      Numbers all;
      for (int pages = 0;; ++pages) {
        ASSERT_LT(pages, 51);
        const Listed listed = list(*store_, query);
        EXPECT_LE(listed.numbers.size(), most);
        EXPECT_LE(listed.page.visited, visits);
        all.insert(all.end(), listed.numbers.begin(), listed.numbers.end());
        if (!listed.page.more) break;
        query.below = listed.page.reached;
      }
      Numbers expected;
      for (std::uint64_t n = 50; n > 0; --n) {
        if (n % 3 == 2) expected.push_back(n);
      }
      EXPECT_EQ(all, expected);
    }
  }
}

TEST_P(StoreList, LastPageSaysThatThereIsNoMore) {
  fill(6);
  ListQuery query;
  query.most = 6;
  EXPECT_FALSE(list(*store_, query).page.more);
  query.most = 5;
  const Listed listed = list(*store_, query);
  EXPECT_TRUE(listed.page.more);
  EXPECT_EQ(listed.page.reached, job_id(2));
}

TEST_P(StoreList, BelowNeedNotBeAJob) {
  fill(6);
  must_commit(*store_, Changes().forget(3).forget(4));
  maintain_all(*store_, kStart);
  ListQuery query;
  query.below = job_id(4);
  EXPECT_EQ(list(*store_, query).numbers, (Numbers{2, 1}));
  query.below = job_id(1);
  EXPECT_EQ(list(*store_, query).numbers, Numbers{});
  query.below = job_id(1000);
  EXPECT_EQ(list(*store_, query).numbers, (Numbers{6, 5, 2, 1}));
}

TEST_P(StoreList, SinceEndsTheListAtTheTimeOfTheId) {
  fill(20);
  ListQuery query;
  query.since = time_of(job_id(15));
  const Listed listed = list(*store_, query);
  EXPECT_EQ(listed.numbers, (Numbers{20, 19, 18, 17, 16, 15}));
  EXPECT_FALSE(listed.page.more);
  EXPECT_EQ(listed.page.visited, 6U);
  query.since = time_of(job_id(21));
  EXPECT_EQ(list(*store_, query).numbers, Numbers{});
}

TEST_P(StoreList, RevivedAndForgottenJobsAreNotListed) {
  fill(6);
  must_commit(*store_, Changes().revive(3, 3, 10).revive(4, 4, 11).forget(1).forget(2));
  EXPECT_EQ(list(*store_, {}).numbers, (Numbers{6, 5}));
  must_commit(*store_, Changes().finish(3, 0, "again", kStart + limits::kDefaultKeep, 10));
  EXPECT_EQ(list(*store_, {}).numbers, (Numbers{6, 5, 3}));
  maintain_all(*store_, kStart + Millis{5000});
  EXPECT_EQ(list(*store_, {}).numbers, (Numbers{6, 5, 3}));
}

TEST_P(StoreList, LaterJobOfTheSameIdIsListedOnce) {
  fill(3);
  must_commit(*store_, Changes()
                           .accept(Job{.number = 3, .sequence = 100})
                           .finish(3, 0, "later", kStart + Millis{9'000'000}, 100, JobState::cancelled));
  queue::Sequence sequence = 0;
  std::string report;
  ListQuery query;
  query.most = 1;
  ASSERT_TRUE(store_
                  ->list(query,
                         [&](const queue::FinishedJob& job) {
                           sequence = job.outcome.sequence;
                           report = job.outcome.report;
                         })
                  .ok());
  EXPECT_EQ(sequence, 100U);
  EXPECT_EQ(report, "later");
  EXPECT_EQ(list(*store_, {}).numbers, (Numbers{3, 2, 1}));
  query.states = state_bit(JobState::expired);  // as the earlier one ended
  EXPECT_EQ(list(*store_, query).numbers, Numbers{});
}

TEST_P(StoreList, ListedJobSaysWhatFindSays) {
  must_commit(*store_, Changes().accept(Job{.number = 1, .body = std::string(5000, 'b')}).finish(1, 0, "filed"));
  maintain_all(*store_, kStart);
  must_commit(*store_, Changes().accept(Job{.number = 2, .body = std::string(5000, 'b')}).finish(2, 0, "unfiled"));
  for (const bool with_body : {false, true}) {
    ListQuery query;
    query.with_body = with_body;
    std::map<std::uint64_t, Finished> jobs;
    ASSERT_TRUE(store_
                    ->list(query,
                           [&](const queue::FinishedJob& job) {
                             Finished& seen = jobs[number_of(job.job.id)];
                             seen.body = job.job.body;
                             seen.spec = job.job.shared->spec;
                             seen.report = job.outcome.report;
                             seen.content_hash = job.job.content_hash;
                             EXPECT_EQ(job.body_size, 5000U);
                             EXPECT_EQ(job.job.sequence, job.outcome.sequence);
                           })
                    .ok());
    ASSERT_EQ(jobs.size(), 2U);
    for (const std::uint64_t n : {1U, 2U}) {
      const auto found = finished(*store_, n, with_body);
      ASSERT_TRUE(found);
      EXPECT_EQ(jobs[n].body, found->body);
      EXPECT_EQ(jobs[n].body.size(), with_body ? 5000U : 0U);
      EXPECT_EQ(jobs[n].spec, found->spec);
      EXPECT_EQ(jobs[n].report, found->report);
      EXPECT_EQ(jobs[n].content_hash, found->content_hash);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Engines, StoreList, testing::Values(Engine::lmdb, Engine::memory), engine_name);

}  // namespace
}  // namespace rota::store::test

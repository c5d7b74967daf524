#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "client/client.h"
#include "common/base/entropy.h"
#include "tests/unit/client/fake_broker.h"

namespace rota::client {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using namespace std::chrono_literals;

// A broker that knows `kJobs` jobs, every second of them final; ids_ has the newest first.
class JobListsTest : public ::testing::Test {
 protected:
  static constexpr std::int64_t kJobs = 10;

  JobListsTest() {
    Prng random(1);
    for (std::int64_t i = 0; i < kJobs; ++i) {
      ids.push_back(make_job_id(Wall{1795343400000 + i}, slot_of_queue("default"), random));
      broker.add(ids.back(), i % 2 == 0);
    }
    std::reverse(ids.begin(), ids.end());
  }

  Client connect(Millis timeout = 10s) {
    ClientOptions options;
    options.endpoint = broker.endpoint();
    options.timeout = timeout;
    Result<Client> client = Client::connect(std::move(options));
    if (!client) ADD_FAILURE() << client.error().message;
    return std::move(client).value();
  }

  static std::vector<JobId> ids_of(const std::vector<Job>& jobs) {
    std::vector<JobId> out;
    for (const Job& job : jobs) out.push_back(job.id);
    return out;
  }

  FakeBroker broker;
  std::vector<JobId> ids;
};

TEST_F(JobListsTest, ListIsNewestFirstAndSaysWhenItIsWhole) {
  Client client = connect();
  const Result<JobPage> page = client.list({});
  ASSERT_TRUE(page.ok()) << page.error().message;
  EXPECT_EQ(ids_of(page->jobs), ids);
  EXPECT_THAT(page->cursor, IsEmpty());
}

TEST_F(JobListsTest, ShortAndEmptyPagesAreAskedOn) {
  broker.look_at = 1;  // every second page is empty
  Client client = connect();
  JobFilter filter;
  filter.states = state_bit(JobState::ready);
  const Result<JobPage> page = client.list(filter, 100);
  ASSERT_TRUE(page.ok()) << page.error().message;
  EXPECT_THAT(page->jobs, SizeIs(kJobs / 2));
  EXPECT_THAT(page->cursor, IsEmpty());
  EXPECT_EQ(broker.lists(), kJobs);
}

TEST_F(JobListsTest, CursorGoesOnWhereTheListEnded) {
  broker.look_at = 3;
  Client client = connect();
  const Result<JobPage> first = client.list({}, 4);
  ASSERT_TRUE(first.ok()) << first.error().message;
  ASSERT_THAT(first->jobs, SizeIs(4));
  ASSERT_FALSE(first->cursor.empty());
  const Result<JobPage> rest = client.list({}, 100, first->cursor);
  ASSERT_TRUE(rest.ok()) << rest.error().message;
  EXPECT_EQ(ids_of(rest->jobs), std::vector<JobId>(ids.begin() + 4, ids.end()));
}

TEST_F(JobListsTest, OnePageIsWhatOneLookFound) {
  broker.look_at = 3;
  Client client = connect();
  const Result<JobPage> page = client.list_page({});
  ASSERT_TRUE(page.ok());
  EXPECT_THAT(page->jobs, SizeIs(3));
  EXPECT_FALSE(page->cursor.empty());
  EXPECT_EQ(broker.lists(), 1);
}

TEST_F(JobListsTest, RefusalsOfAListAreValues) {
  Client client = connect();
  JobFilter filter;
  filter.queue = "other";
  EXPECT_EQ(client.list(filter).error().code, Code::not_found);
  const Result<JobPage> page = client.list_page({}, 1);
  ASSERT_TRUE(page.ok());
  JobFilter another;
  another.states = state_bit(JobState::ready);
  EXPECT_EQ(client.list_page(another, 1, page->cursor).error().code, Code::bad_message);
}

TEST_F(JobListsTest, ListRefusedForNowIsAskedAgain) {
  Client client = connect();
  broker.refuse_messages = 2;
  EXPECT_TRUE(client.list({}).ok());
}

TEST_F(JobListsTest, ListWithoutAnAnswerTimesOut) {
  Client client = connect(200ms);
  broker.silent = true;
  EXPECT_EQ(client.list({}).error().code, Code::timed_out);
  EXPECT_EQ(client.find_by_ending("01234567").error().code, Code::timed_out);
  EXPECT_EQ(client.purge("default").error().code, Code::timed_out);
}

TEST_F(JobListsTest, EndingFindsItsJob) {
  Client client = connect();
  std::string digits = to_string(ids[3]);
  std::erase(digits, '-');
  const auto found = client.find_by_ending(digits.substr(20));
  ASSERT_TRUE(found.ok()) << found.error().message;
  EXPECT_EQ(ids_of(*found), std::vector<JobId>{ids[3]});
  EXPECT_THAT(*client.find_by_ending("00000000"), IsEmpty());
  EXPECT_EQ(client.find_by_ending("nonsense").error().code, Code::bad_message);
}

TEST_F(JobListsTest, PurgeGoesSliceBySliceToTheEnd) {
  broker.look_at = 3;
  Client client = connect();
  std::vector<std::uint64_t> seen;
  const Result<BulkProgress> purged = client.purge("default", 0, [&](const BulkProgress& so_far) {
    seen.push_back(so_far.done);
    return true;
  });
  ASSERT_TRUE(purged.ok()) << purged.error().message;
  EXPECT_TRUE(purged->complete);
  EXPECT_EQ(purged->done, kJobs);
  EXPECT_EQ(purged->refused, 0U);
  EXPECT_THAT(seen, testing::ElementsAre(3, 6, 9, 10));
  EXPECT_EQ(broker.jobs(), 0U);
}

TEST_F(JobListsTest, PurgeEndsBetweenSlicesWhenTold) {
  broker.look_at = 3;
  Client client = connect();
  const Result<BulkProgress> purged =
      client.purge("default", 0, [](const BulkProgress& so_far) { return so_far.done < 6; });
  ASSERT_TRUE(purged.ok()) << purged.error().message;
  EXPECT_FALSE(purged->complete);
  EXPECT_EQ(purged->done, 6U);
  EXPECT_EQ(broker.jobs(), kJobs - 6U);
}

TEST_F(JobListsTest, PurgeNamesItsStates) {
  Client client = connect();
  const Result<BulkProgress> purged = client.purge("default", state_bit(JobState::ready) | state_bit(JobState::scheduled));
  ASSERT_TRUE(purged.ok()) << purged.error().message;
  EXPECT_EQ(purged->done, kJobs / 2);
  EXPECT_EQ(broker.jobs(), kJobs / 2U);
}

TEST_F(JobListsTest, SliceWhoseReplyIsLostIsAskedForAgain) {
  broker.lose_admin_answers = 1;
  Client client = connect();
  const Result<BulkProgress> purged = client.purge("default");
  ASSERT_TRUE(purged.ok()) << purged.error().message;
  EXPECT_TRUE(purged->complete);
  EXPECT_EQ(broker.admins(), 2);
  EXPECT_EQ(broker.jobs(), 0U);
}

TEST_F(JobListsTest, RetryOfAQueueCountsWhatWasRefused) {
  broker.look_at = 2;
  Client client = connect();
  const Result<BulkProgress> retried = client.retry_queue("default", state_bit(JobState::succeeded));
  ASSERT_TRUE(retried.ok()) << retried.error().message;
  EXPECT_TRUE(retried->complete);
  EXPECT_EQ(retried->done, kJobs / 2);
  EXPECT_EQ(retried->refused, 3U);  // one a slice
}

TEST_F(JobListsTest, BulkCommandOnAnUnknownQueueIsNotFound) {
  Client client = connect();
  EXPECT_EQ(client.purge("other").error().code, Code::not_found);
  EXPECT_EQ(client.retry_queue("other").error().code, Code::not_found);
}

TEST_F(JobListsTest, BrokerThatMakesNoProgressIsNotAskedForEver) {
  broker.stuck = true;
  Client client = connect();
  const Result<BulkProgress> purged = client.purge("default");
  ASSERT_FALSE(purged.ok());
  EXPECT_EQ(purged.error().code, Code::internal);
  EXPECT_THAT(purged.error().message, HasSubstr("no progress"));
}

}  // namespace
}  // namespace rota::client

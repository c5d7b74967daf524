#include <gtest/gtest.h>

#include "broker/queue/deadline_tree.h"
#include "broker/queue/found_jobs.h"
#include "broker/queue/key_table.h"
#include "broker/queue/lane_table.h"
#include "broker/queue/ring.h"
#include "broker/queue/session_table.h"
#include "broker/queue/shape_table.h"
#include "broker/queue/transition.h"

namespace rota::queue {
namespace {

TEST(DeadlineTree, GivesWhatIsDueInOrderOfTime) {
  DeadlineTree tree;
  EXPECT_EQ(tree.earliest(), INT64_MAX);
  tree.insert(5'000'000'000, 1);
  tree.insert(4'999'999'999, 2);
  tree.insert(INT64_MAX - 1, 3);
  EXPECT_EQ(tree.earliest(), 4'999'999'999);
  EXPECT_EQ(tree.first_due(4'999'999'998), kNone);
  EXPECT_EQ(tree.first_due(4'999'999'999), 2U);
  EXPECT_TRUE(tree.erase(4'999'999'999, 2));
  EXPECT_FALSE(tree.erase(4'999'999'999, 2));
  EXPECT_EQ(tree.next_after({})->index, 1U);
}

TEST(Ring, KeepsOrderAcrossGrowth) {
  Ring<int> ring;
  int next = 0;
  int expected = 0;
  for (int round = 0; round < 100; ++round) {
    for (int i = 0; i < 7; ++i) ring.push(next++);
    for (int i = 0; i < 5; ++i) EXPECT_EQ(ring.pop(), expected++);
  }
  EXPECT_EQ(ring.size(), 200U);
  EXPECT_EQ(ring.peek(0), expected);
}

TEST(ChunkedSlab, AddressesStayAndFreedPlacesAreReused) {
  ChunkedSlab<JobEntry, 4> slab;
  const std::uint32_t first = slab.allocate();
  JobEntry* address = &slab[first];
  for (int i = 0; i < 100; ++i) (void)slab.allocate();
  EXPECT_EQ(address, &slab[first]);
  slab.release(3);
  slab.release(first);
  EXPECT_EQ(slab.allocate(), first);
  EXPECT_EQ(slab.allocate(), 3U);
  EXPECT_EQ(slab.size(), 101U);
}

TEST(KeyTable, HeldKeysAreFoundPerQueue) {
  KeyTable keys;
  const std::uint32_t key = keys.add(1, "k");
  EXPECT_EQ(keys.find(1, "k"), kNone);
  keys.hold(key);
  EXPECT_EQ(keys.find(1, "k"), key);
  EXPECT_EQ(keys.find(2, "k"), kNone);
  keys.release(key);
  EXPECT_EQ(keys.find(1, "k"), kNone);
  keys.erase(key);
  EXPECT_EQ(keys.size(), 0U);
}

TEST(ShapeTable, EqualShapesAreKeptOnceAndEndWithTheirLastJob) {
  ShapeTable shapes;
  bool fresh = false;
  SharedRecord shared{"default", "exec", Policy{}, {}};
  const std::uint32_t first = shapes.intern(shared, fresh);
  EXPECT_TRUE(fresh);
  EXPECT_EQ(shapes.intern(shared, fresh), first);
  EXPECT_FALSE(fresh);
  shared.policy.retries = 3;
  const std::uint32_t other = shapes.intern(shared, fresh);
  EXPECT_NE(other, first);
  EXPECT_FALSE(fresh);
  EXPECT_EQ(shapes.shape(other).dispatch_class, shapes.shape(first).dispatch_class);
  const std::uint32_t in = shapes.shape(first).dispatch_class;
  EXPECT_EQ(shapes.release(first), kNone);
  EXPECT_EQ(shapes.release(first), kNone);
  EXPECT_EQ(shapes.release(other), in);
  shapes.erase_class(in);
  EXPECT_EQ(shapes.find_type("exec"), kNone);
  EXPECT_NE(shapes.find_queue("default"), kNone);
}

TEST(ShapeTable, NoMoreQueuesThanTheLimit) {
  ShapeTable shapes;
  for (std::size_t i = 0; i < limits::kMaxQueues; ++i) ASSERT_NE(shapes.intern_queue(std::to_string(i)), kNone);
  EXPECT_EQ(shapes.intern_queue("one-more"), kNone);
  EXPECT_NE(shapes.intern_queue("7"), kNone);
}

TEST(LaneTable, ClassesJoinTheLanesThatServeThem) {
  ShapeTable shapes;
  LaneTable lanes;
  const std::uint32_t set = lanes.intern_types(shapes, {shapes.intern_type("exec")});
  const std::uint32_t lane = lanes.intern(shapes, shapes.intern_queue("default"), set);
  EXPECT_EQ(lanes.intern(shapes, shapes.intern_queue("default"), set), lane);
  bool fresh = false;
  const std::uint32_t in = shapes.shape(shapes.intern({"default", "exec", Policy{}, {}}, fresh)).dispatch_class;
  lanes.add_class(shapes, in);
  EXPECT_EQ(shapes.dispatch_class(in).lanes, std::vector<std::uint32_t>{lane});
  const std::uint32_t other = shapes.shape(shapes.intern({"default", "other", Policy{}, {}}, fresh)).dispatch_class;
  lanes.add_class(shapes, other);
  EXPECT_TRUE(shapes.dispatch_class(other).lanes.empty());
  lanes.erase(shapes, lane);
  EXPECT_TRUE(shapes.dispatch_class(in).lanes.empty());
}

TEST(SessionTable, ANumberOfAnEndedSessionNamesNobody) {
  SessionTable sessions;
  const SessionRef first = sessions.add(Uuid{{1}})->ref;
  sessions.set_name(*sessions.find(first), "w");
  EXPECT_EQ(sessions.find_name("w"), sessions.find(first));
  sessions.erase(first);
  const SessionRef second = sessions.add(Uuid{{2}})->ref;
  EXPECT_NE(first, second);
  EXPECT_EQ(sessions.find(first), nullptr);
  EXPECT_EQ(sessions.find_name("w"), nullptr);
  EXPECT_EQ(sessions.find_uuid(Uuid{{2}})->ref, second);
}

TEST(FoundJobs, FindsInFewAndInMany) {
  Prng random(1);
  for (const std::size_t count : {0U, 3U, 100U}) {
    std::vector<FinishedJob> jobs(count);
    for (FinishedJob& job : jobs) job.job.id = make_job_id(Wall{5}, 1, random);
    const FoundJobs found(jobs);
    for (const FinishedJob& job : jobs) EXPECT_EQ(found.find(job.job.id), &job);
    EXPECT_EQ(found.find(make_job_id(Wall{5}, 1, random)), nullptr);
  }
}

TEST(Transition, FinalJobsOnlyComeBackByRevival) {
  for (std::uint8_t from = 0; from < kJobStateCount; ++from) {
    for (std::uint8_t event = 0; event < kEventCount; ++event) {
      const auto to = next_state(static_cast<JobState>(from), static_cast<Event>(event));
      if (!is_final(static_cast<JobState>(from))) continue;
      EXPECT_EQ(to.has_value(), static_cast<Event>(event) == Event::revive);
    }
  }
}

TEST(Transition, OnlyReadyJobsAreDispatched) {
  for (std::uint8_t from = 0; from < kJobStateCount; ++from) {
    const bool ready = static_cast<JobState>(from) == JobState::ready;
    EXPECT_EQ(next_state(static_cast<JobState>(from), Event::dispatch).has_value(), ready);
  }
}

}  // namespace
}  // namespace rota::queue

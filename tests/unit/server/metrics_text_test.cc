#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "broker/server/metrics.h"
#include "tests/unit/server/engine_rig.h"

namespace rota::server {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr Route kClient = 1;

MetricsSnapshot::Queue queue_named(const std::string& name, std::uint64_t ready, std::uint64_t accepted) {
  MetricsSnapshot::Queue queue;
  queue.name = name;
  queue.by_state[static_cast<std::size_t>(JobState::ready)] = ready;
  queue.by_state[static_cast<std::size_t>(JobState::failed)] = 3;
  queue.accepted = accepted;
  queue.workers = 2;
  return queue;
}

TEST(MetricsText, AQueueHasItsJobsByState) {
  MetricsSnapshot snapshot;
  snapshot.queues.push_back(queue_named("default", 5, 8));
  const std::string text = to_prometheus(snapshot, {});
  EXPECT_THAT(text, HasSubstr("rota_jobs{queue=\"default\",state=\"ready\"} 5\n"));
  EXPECT_THAT(text, HasSubstr("rota_jobs_finished_total{queue=\"default\",state=\"failed\"} 3\n"));
  EXPECT_THAT(text, HasSubstr("rota_jobs_accepted_total{queue=\"default\"} 8\n"));
  EXPECT_THAT(text, HasSubstr("rota_queue_workers{queue=\"default\"} 2\n"));
  EXPECT_THAT(text, Not(HasSubstr("{queue=\"(others)\"")));
}

TEST(MetricsText, QueuesBeyondTheLimitAreOneMoreSeries) {
  MetricsSnapshot snapshot;
  snapshot.queues.push_back(queue_named("default", 5, 8));
  snapshot.queues_left_out = 3;
  snapshot.others = queue_named("", 70, 90);
  const std::string text = to_prometheus(snapshot, {});
  EXPECT_THAT(text, HasSubstr("rota_jobs{queue=\"(others)\",state=\"ready\"} 70\n"));
  EXPECT_THAT(text, HasSubstr("rota_jobs_accepted_total{queue=\"(others)\"} 90\n"));
  EXPECT_THAT(text, HasSubstr("rota_queues 4\n"));
  EXPECT_THAT(text, HasSubstr("rota_queues_left_out 3\n"));
  EXPECT_THAT(text, Not(HasSubstr("rota_queue_workers{queue=\"(others)\"}")));
}

TEST(MetricsText, HistogramsCountUpwardsInBaseUnits) {
  MetricsSnapshot snapshot;
  for (const std::uint64_t us : {60U, 90U, 1500U, 20'000'000U}) snapshot.server.commit_time.add(us);
  snapshot.core.queue_wait.add(40);
  const std::string text = to_prometheus(snapshot, {});
  EXPECT_THAT(text, HasSubstr("rota_commit_seconds_bucket{le=\"0.0001\"} 2\n"));
  EXPECT_THAT(text, HasSubstr("rota_commit_seconds_bucket{le=\"0.002\"} 3\n"));
  EXPECT_THAT(text, HasSubstr("rota_commit_seconds_bucket{le=\"10\"} 3\n"));
  EXPECT_THAT(text, HasSubstr("rota_commit_seconds_bucket{le=\"+Inf\"} 4\n"));
  EXPECT_THAT(text, HasSubstr("rota_commit_seconds_count 4\n"));
  EXPECT_THAT(text, HasSubstr("rota_commit_seconds_sum 20.00165\n"));
  EXPECT_THAT(text, HasSubstr("rota_queue_wait_seconds_bucket{le=\"0.02\"} 0\n"));
  EXPECT_THAT(text, HasSubstr("rota_queue_wait_seconds_bucket{le=\"0.05\"} 1\n"));
}

TEST(MetricsText, OnlyRefusalsAreShownAsSuch) {
  MetricsSnapshot snapshot;
  snapshot.server.refusals[static_cast<std::size_t>(Code::ok)] = 11;
  snapshot.server.refusals[static_cast<std::size_t>(Code::duplicate)] = 12;
  snapshot.server.refusals[static_cast<std::size_t>(Code::stale)] = 13;
  const std::string text = to_prometheus(snapshot, {});
  EXPECT_THAT(text, HasSubstr("rota_refusals_total{code=\"STALE\"} 13\n"));
  EXPECT_THAT(text, Not(HasSubstr("code=\"OK\"")));
  EXPECT_THAT(text, Not(HasSubstr("code=\"DUPLICATE\"")));
}

TEST(Metrics, EveryRefusedItemOfAMessageCounts) {
  EngineRig rig(store::make_memory({}, 64 * limits::MiB));
  rig.connect_client(kClient);
  const JobId taken = rig.new_id();
  const JobId of_another_queue = rig.new_id("other");
  rig.turn(Side::client, kClient, EngineRig::submit(1, {taken, of_another_queue, rig.new_id("third")}));
  rig.settle();
  const auto refusals = [&](Code code) { return rig.engine().counters().refusals[static_cast<std::size_t>(code)]; };
  EXPECT_EQ(2U, refusals(Code::bad_message));
  rig.turn(Side::client, kClient, EngineRig::submit(2, {taken}, "other data"));
  rig.settle();
  EXPECT_EQ(1U, refusals(Code::conflict));
  rig.connect_worker(2);
  const Answer given = rig.answer(2);
  const auto* dispatch = given.as<wire::Dispatch>();
  ASSERT_NE(nullptr, dispatch);
  wire::Dispatch forged = *dispatch;
  forged.items[0].dispatch += 1000;
  rig.turn(Side::worker, 2, EngineRig::complete(3, forged, 1));
  EXPECT_EQ(1U, refusals(Code::stale));
}

TEST(Metrics, CommitsAreMeasured) {
  EngineRig rig(store::make_memory({}, 64 * limits::MiB));
  rig.connect_client(kClient);
  rig.turn(Side::client, kClient, EngineRig::submit(1, {rig.new_id(), rig.new_id(), rig.new_id()}));
  rig.settle();
  const ServerCounters& counters = rig.engine().counters();
  EXPECT_EQ(3U, counters.commit_jobs.sum());
  std::uint64_t commits = 0;
  for (const std::uint64_t one : counters.commit_time.counts()) commits += one;
  EXPECT_EQ(counters.commits, commits);
}

TEST(Metrics, TheProcessKnowsItself) {
  const ProcessFigures figures = read_process_figures();
  EXPECT_GT(figures.resident_bytes, limits::MiB);
  EXPECT_GE(figures.virtual_bytes, figures.resident_bytes);
  EXPECT_GT(figures.open_files, 2U);
  EXPECT_GT(figures.max_files, figures.open_files);
  const auto now = static_cast<double>(read_clocks().wall.ms) / 1000;
  EXPECT_LT(figures.start_time, now + 2);
  EXPECT_GT(figures.start_time, now - 3600);
}

}  // namespace
}  // namespace rota::server

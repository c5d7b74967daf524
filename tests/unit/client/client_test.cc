#include "client/client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <set>

#include "client/connection.h"
#include "common/base/peer_limits.h"
#include "tests/unit/client/client_fixture.h"

namespace rota::client {
namespace {

using ::testing::HasSubstr;
using namespace std::chrono_literals;

TEST(ClientConnectTest, UnreachableBrokerIsNamedWithinTheTimeout) {
  ClientOptions options;
  options.endpoint = "tcp://127.0.0.1:1";
  options.timeout = 200ms;
  const Result<Client> client = Client::connect(options);
  ASSERT_FALSE(client.ok());
  EXPECT_EQ(client.error().code, Code::timed_out);
  EXPECT_EQ(client.error().message,
            "broker not reachable at tcp://127.0.0.1:1 within 200ms; is it running, and does --clients bind that address?");
}

TEST(ClientConnectTest, MalformedEndpointIsRefusedAtOnce) {
  ClientOptions options;
  options.endpoint = "nonsense";
  const Result<Client> client = Client::connect(options);
  ASSERT_FALSE(client.ok());
  EXPECT_EQ(client.error().code, Code::bad_message);
  EXPECT_THAT(client.error().message, HasSubstr("nonsense"));
}

TEST_F(ClientTest, VersionRefusalEndsTheConnect) {
  broker.hello_refusal = Code::version;
  ClientOptions options;
  options.endpoint = broker.endpoint();
  const Result<Client> client = Client::connect(options);
  ASSERT_FALSE(client.ok());
  EXPECT_EQ(client.error().code, Code::version);
}

TEST_F(ClientTest, BusyBrokerIsAskedAgainUntilItWelcomes) {
  broker.hello_refusal = Code::retry_later;
  std::jthread relent([this] {
    while (broker.hellos() < 2) std::this_thread::yield();
    broker.hello_refusal = Code::ok;
  });
  Client client = connect();
  EXPECT_TRUE(client.in_contact());
  EXPECT_GE(broker.hellos(), 2);
}

TEST_F(ClientTest, SubmitReturnsTheAcceptedJob) {
  Client client = connect();
  const Result<Submission> submitted = client.submit(noop_job());
  ASSERT_TRUE(submitted.ok()) << submitted.error().message;
  EXPECT_FALSE(submitted->duplicate);
  EXPECT_EQ(slot_of(submitted->id), slot_of_queue("default"));
  EXPECT_EQ(broker.jobs(), 1U);
}

TEST_F(ClientTest, IdsRunOnTheBrokersClock) {
  Client client = connect();
  const Millis ahead = time_of(client.make_id("default")) - read_clocks().wall;
  EXPECT_GT(ahead, 4s);
  EXPECT_LT(ahead, 6s);
}

TEST_F(ClientTest, LostAcknowledgementMakesNoSecondJob) {
  Client client = connect();
  broker.lose_answers = 1;
  const Result<Submission> submitted = client.submit(noop_job());
  ASSERT_TRUE(submitted.ok()) << submitted.error().message;
  EXPECT_TRUE(submitted->duplicate);
  EXPECT_EQ(broker.jobs(), 1U);
  EXPECT_EQ(broker.submits(), 2);
}

TEST_F(ClientTest, RefusedForNowIsSubmittedAgain) {
  Client client = connect();
  broker.refuse_messages = 2;
  EXPECT_TRUE(client.submit(noop_job()).ok());
  EXPECT_EQ(broker.jobs(), 1U);
}

TEST_F(ClientTest, DroppedSubmitsAreNeitherSentAgainNorReported) {
  Client client = connect();
  broker.lose_answers = 1;
  int reported = 0;
  client.on_submitted([&](const SubmitResult&) { ++reported; });
  JobRequest sent = noop_job();
  sent.id = client.make_id("default");
  ASSERT_TRUE(client.submit_async(sent, true).ok());
  ASSERT_TRUE(client.poll(0ms).ok());
  broker.await_submits(1);
  ASSERT_TRUE(client.submit_async(noop_job(), true).ok());  // gathered only
  client.drop_unacknowledged();
  EXPECT_EQ(client.unacknowledged(), 0U);
  EXPECT_EQ(client.watching(), 0U);
  const Result<std::vector<ItemOutcome>> cancelled = client.cancel({{*sent.id}});
  ASSERT_TRUE(cancelled.ok()) << cancelled.error().message;
  EXPECT_EQ(cancelled->front().code, Code::ok);
  EXPECT_TRUE(client.flush().ok());
  EXPECT_EQ(reported, 0);
  EXPECT_EQ(broker.submits(), 1);
}

TEST_F(ClientTest, OnlyTheRefusedItemsOfABatchAreSubmittedAgain) {
  Client client = connect();
  broker.refuse_items = 3;
  std::set<Ticket> tickets;
  std::set<JobId> ids;
  client.on_submitted([&](const SubmitResult& result) {
    EXPECT_EQ(result.code, Code::ok);
    EXPECT_TRUE(tickets.insert(result.ticket).second);
    ids.insert(result.id);
  });
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(client.submit_async(noop_job()).ok());
  const Result<Client::Flushed> flushed = client.flush();
  ASSERT_TRUE(flushed.ok());
  EXPECT_EQ(flushed->accepted, 100U);
  EXPECT_EQ(flushed->duplicates, 0U);
  EXPECT_EQ(ids.size(), 100U);
  EXPECT_EQ(broker.jobs(), 100U);
  EXPECT_EQ(broker.submits(), 4);
}

TEST_F(ClientTest, StoreFullUntilTheDeadlineIsReportedAsSuch) {
  ClientOptions options;
  options.timeout = 400ms;
  Client client = connect(options);
  broker.store_full = true;
  const Result<Submission> submitted = client.submit(noop_job());
  ASSERT_FALSE(submitted.ok());
  EXPECT_EQ(submitted.error().code, Code::store_full);
  EXPECT_GT(broker.submits(), 1);
}

TEST_F(ClientTest, SilentBrokerTimesARequestOut) {
  ClientOptions options;
  options.timeout = 200ms;
  Client client = connect(options);
  broker.silent = true;
  const Result<Submission> submitted = client.submit(noop_job());
  ASSERT_FALSE(submitted.ok());
  EXPECT_EQ(submitted.error().code, Code::timed_out);
  const Result<std::int64_t> pinged = client.ping();
  ASSERT_FALSE(pinged.ok());
  EXPECT_THAT(pinged.error().message, HasSubstr("did not answer within 200ms"));
}

TEST_F(ClientTest, GarbageInBetweenIsPassedOver) {
  Client client = connect();
  broker.send_garbage = 3;
  EXPECT_TRUE(client.submit(noop_job()).ok());
  EXPECT_TRUE(client.ping().ok());
  EXPECT_TRUE(client.submit(noop_job()).ok());
}

TEST_F(ClientTest, PlainLoopIsGatheredIntoBatches) {
  ClientOptions options;
  options.batch = 100;
  Client client = connect(options);
  JobTemplate shared;
  shared.type = "noop";
  for (int i = 0; i < 1000; ++i) ASSERT_TRUE(client.submit_async(shared, JobItem{}).ok());
  EXPECT_EQ(client.flush()->accepted, 1000U);
  EXPECT_EQ(broker.submits(), 10);
  EXPECT_EQ(client.unacknowledged(), 0U);
}

TEST_F(ClientTest, BatchClosesByBytesToo) {
  Client client = connect();
  JobTemplate shared;
  shared.type = "noop";
  const std::string payload(300 * limits::KiB, 'x');
  for (int i = 0; i < 12; ++i) {
    JobItem item;
    item.payload = payload;
    ASSERT_TRUE(client.submit_async(shared, item).ok());
  }
  EXPECT_EQ(client.flush()->accepted, 12U);
  EXPECT_EQ(broker.submits(), 4);
}

TEST_F(ClientTest, ManyDifferentTemplatesTravelInSeveralMessages) {
  Client client = connect();
  for (int i = 0; i < 300; ++i) {
    JobTemplate shared;
    shared.type = "noop";
    shared.name = "job " + std::to_string(i);
    ASSERT_TRUE(client.submit_async(shared, JobItem{}).ok());
  }
  EXPECT_EQ(client.flush()->accepted, 300U);
  EXPECT_EQ(broker.submits(), 2);
}

TEST_F(ClientTest, WindowBoundsWhatIsUnacknowledged) {
  ClientOptions options;
  options.batch = 10;
  options.window = 30;
  Client client = connect(options);
  std::size_t most = 0;
  for (int i = 0; i < 500; ++i) {
    ASSERT_TRUE(client.submit_async(noop_job()).ok());
    most = std::max(most, client.unacknowledged());
  }
  EXPECT_LE(most, 30U);
  EXPECT_EQ(client.flush()->accepted, 500U);
}

TEST_F(ClientTest, BytesWithoutAnAnswerAreBoundedToo) {
  ClientOptions options;
  options.timeout = 1s;
  Client client = connect(options);
  broker.silent = true;
  JobRequest job = noop_job();
  job.payload.assign(limits::kDefaultMaxPayload - 1, 'x');
  std::size_t most = 0;
  for (int i = 0; i < 100; ++i) {
    ASSERT_TRUE(client.submit_async(job).ok());
    most = std::max(most, client.unacknowledged());
  }
  const std::size_t fit = limits::kClientWindowBytes / limits::kDefaultMaxPayload;
  EXPECT_GE(most, fit / 4);  // a slow machine gives up the first ones before there are more
  EXPECT_LE(most, fit + 2);  // one over it, and one that is gathered
  broker.silent = false;
}

TEST_F(ClientTest, BrokenJobIsRefusedBeforeItIsSent) {
  Client client = connect();
  JobRequest job = noop_job();
  job.shared.queue = "no blanks allowed";
  EXPECT_EQ(client.submit(job).error().code, Code::bad_message);
  job = noop_job();
  job.payload.assign(limits::kDefaultMaxPayload + 1, 'x');
  EXPECT_EQ(client.submit(job).error().code, Code::too_large);
  job = noop_job();
  job.id = client.make_id("other");
  EXPECT_EQ(client.submit(job).error().code, Code::bad_message);
  EXPECT_EQ(broker.submits(), 0);
}

TEST_F(ClientTest, SubmitManyKeepsTheOrderOfItsResults) {
  Client client = connect();
  std::vector<JobRequest> jobs(3, noop_job());
  jobs[1].shared.type = "not a type";
  const std::vector<Result<Submission>> results = client.submit_many(jobs);
  ASSERT_EQ(results.size(), 3U);
  EXPECT_TRUE(results[0].ok());
  EXPECT_FALSE(results[1].ok());
  EXPECT_TRUE(results[2].ok());
}

TEST_F(ClientTest, NoticeOfTheEndComesOnce) {
  Client client = connect();
  int finals = 0;
  client.on_final([&](const FinishedJob& job) {
    EXPECT_TRUE(job.succeeded());
    ++finals;
  });
  for (int i = 0; i < 50; ++i) ASSERT_TRUE(client.submit_async(noop_job(), true).ok());
  while (client.watching() > 0 || client.unacknowledged() > 0) ASSERT_TRUE(client.poll(1s).ok());
  EXPECT_EQ(finals, 50);
}

TEST_F(ClientTest, NoticeSurvivesALostAcknowledgement) {
  Client client = connect();
  broker.lose_answers = 1;
  int finals = 0;
  client.on_final([&](const FinishedJob&) { ++finals; });
  ASSERT_TRUE(client.submit_and_notify(noop_job()).ok());
  while (client.watching() > 0) ASSERT_TRUE(client.poll(1s).ok());
  EXPECT_EQ(finals, 1);
}

TEST_F(ClientTest, SubmitsSurviveABrokerRestart) {
  ClientOptions options;
  options.batch = 10;
  options.window = 10'000;
  Client client = connect(options);
  broker.lose_answers = 1000;
  for (int i = 0; i < 500; ++i) ASSERT_TRUE(client.submit_async(noop_job()).ok());
  broker.await_submits(25);
  broker.stop();
  broker.lose_answers = 0;
  broker.start();
  const Result<Client::Flushed> flushed = client.flush();
  ASSERT_TRUE(flushed.ok());
  EXPECT_EQ(flushed->accepted, 500U);
  EXPECT_EQ(broker.jobs(), 500U);
}

TEST_F(ClientTest, ReadableWakeDescriptorEndsABlockingCall) {
  std::array<int, 2> ends{};
  ASSERT_EQ(::pipe(ends.data()), 0);
  broker.finish_at_once = false;
  ClientOptions options;
  options.wake_fd = ends[0];
  Client client = connect(options);
  const Result<Submission> submitted = client.submit(noop_job());
  std::jthread waker([&] {
    broker.await_waits(1);
    ASSERT_EQ(::write(ends[1], "x", 1), 1);
  });
  const std::vector<JobId> ids{submitted->id};
  EXPECT_EQ(client.wait(ids, Millis{-1}, false, nullptr).error().code, Code::cancelled);
  waker.join();
  ::close(ends[0]);
  ::close(ends[1]);
}

TEST_F(ClientTest, GetTellsKnownAndUnknownJobsApart) {
  Client client = connect();
  const Result<Submission> submitted = client.submit(noop_job());
  std::vector<JobId> ids{submitted->id, client.make_id("default")};
  for (int i = 0; i < 300; ++i) ids.push_back(submitted->id);  // several messages
  const Result<std::vector<Job>> jobs = client.get(ids);
  ASSERT_TRUE(jobs.ok());
  ASSERT_EQ(jobs->size(), 302U);
  EXPECT_EQ((*jobs)[0].queue, "default");
  EXPECT_EQ((*jobs)[1].code, Code::not_found);
  EXPECT_EQ((*jobs)[301].id, submitted->id);
}

TEST_F(ClientTest, CancelIsRepeatedWhenRefusedForNow) {
  Client client = connect();
  const Result<Submission> submitted = client.submit(noop_job());
  broker.refuse_messages = 1;
  const std::vector<JobId> ids{submitted->id, client.make_id("default")};
  const Result<std::vector<ItemOutcome>> outcomes = client.cancel(ids);
  ASSERT_TRUE(outcomes.ok());
  EXPECT_EQ((*outcomes)[0].code, Code::ok);
  EXPECT_EQ((*outcomes)[1].code, Code::not_found);
  EXPECT_EQ(broker.cancels(), 1);
}

TEST_F(ClientTest, AdminRowsKeepTheirValues) {
  Client client = connect();
  const Result<std::vector<AdminRow>> rows = client.admin("stats");
  ASSERT_TRUE(rows.ok());
  EXPECT_EQ(text_in(rows->front(), "verb"), "stats");
  EXPECT_EQ(number_in(rows->front(), "commits"), 7);
  EXPECT_EQ(number_in(rows->front(), "rate"), 0.5);
  EXPECT_EQ(number_in(rows->front(), "absent"), 0);
  EXPECT_EQ(client.workers_endpoint(), "tcp://127.0.0.1:5556");
}

TEST_F(ClientTest, AdminRowsOfAllPagesComeTogether) {
  Client client = connect();
  const Result<std::vector<AdminRow>> rows = client.admin("queues");
  ASSERT_TRUE(rows.ok());
  ASSERT_EQ(rows->size(), 3U);
  for (int page = 0; page < 3; ++page) {
    EXPECT_EQ(text_in((*rows)[static_cast<std::size_t>(page)], "queue"), std::to_string(page));
  }
}

TEST_F(ClientTest, ClosingSaysGoodbye) {
  {
    Client client = connect();
    ASSERT_TRUE(client.submit(noop_job()).ok());
    EXPECT_EQ(broker.goodbyes(), 0);
  }
  broker.await_goodbyes(1);
  EXPECT_EQ(broker.goodbyes(), 1);
}

TEST_F(ClientTest, ClosingWithASubmitUnderWaySaysNoGoodbyeThatCouldOvertakeIt) {
  broker.lose_answers = 1;
  {
    Client client = connect();
    ASSERT_TRUE(client.submit_async(noop_job()).ok());
    ASSERT_TRUE(client.poll(0ms).ok());
    broker.await_submits(1);
  }
  { Client client = connect(); }
  broker.await_goodbyes(1);
  EXPECT_EQ(broker.goodbyes(), 1);
  EXPECT_EQ(broker.hellos(), 2);
}

// Counts what a bare connection tells.
struct CountingHandler : ConnectionHandler {
  void on_message(const wire::Message&) override { ++messages; }
  void on_expired(wire::Request) override { ++expired; }
  void on_resumed() override { ++resumed; }
  void on_contact(bool is_back, const std::string&) override { is_back ? ++back : ++lost; }
  int messages = 0, expired = 0, resumed = 0, lost = 0, back = 0;
};

TEST(ConnectionTest, SilenceLeadsToANewSessionThatRepeatsOpenRequests) {
  FakeBroker broker;
  net::Context context;
  CountingHandler handler;
  ConnectionOptions options;
  options.endpoint = broker.endpoint();
  options.timing.probe = 20ms;
  options.timing.silence = 100ms;
  options.timing.patience = 100ms;
  Connection connection(context, options, handler);
  while (!connection.ready()) ASSERT_TRUE(connection.turn(kNeverSteady, -1).ok());
  broker.silent = true;
  wire::Message message;
  message.body = wire::Admin{"stats", {}};
  static_cast<void>(connection.post(message, kNeverSteady));
  while (handler.lost == 0) ASSERT_TRUE(connection.turn(kNeverSteady, -1).ok());
  broker.silent = false;
  while (handler.messages == 0) ASSERT_TRUE(connection.turn(kNeverSteady, -1).ok());
  EXPECT_EQ(handler.back, 1);
  EXPECT_EQ(handler.resumed, 2);
  EXPECT_GE(broker.hellos(), 2);
}

}  // namespace
}  // namespace rota::client

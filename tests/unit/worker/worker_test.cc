#include "worker/worker.h"

#include <gtest/gtest.h>

#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <future>
#include <iterator>
#include <set>
#include <stdexcept>
#include <thread>

#include "tests/unit/worker/fake_broker.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define ROTA_TEST_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define ROTA_TEST_SANITIZED 1
#endif
#endif
#ifndef ROTA_TEST_SANITIZED
#define ROTA_TEST_SANITIZED 0
#endif

namespace rota::worker {
namespace {

// A worker in a thread of its own, against a broker in the test's thread.
class WorkerShell : public ::testing::Test {
 protected:
  void start(
      Handler handler, std::uint32_t slots = 2, const std::function<void()>& prepare = [] {}) {
    WorkerOptions options;
    options.brokers = {broker_->endpoint()};
    options.queues = {{"default", 1}};
    options.slots = slots;
    options.observer.trouble = [this](const std::string&, const std::string& what) {
      ++troubles_;
      EXPECT_NE(what.find("trying again, running jobs go on: cannot "), std::string::npos) << what;
    };
    worker_ = std::make_unique<Worker>(options);
    worker_->handle("work", std::move(handler));
    worker_->handle("noop", [](const Job&, Context&) { return Outcome::success(); });
    prepare();
    ending_ = std::async(std::launch::async, [this] { return worker_->run().value(); });
    ASSERT_TRUE(broker_->serve_until([&] { return broker_->hellos > 0; }));
  }
  bool completed(std::size_t count) {
    return broker_->serve_until([&] { return broker_->completions.size() >= count; });
  }
  Ending drained() {
    worker_->drain();
    EXPECT_TRUE(
        broker_->serve_until([&] { return ending_.wait_for(std::chrono::seconds{0}) == std::future_status::ready; }));
    return ending_.get();
  }

  net::Context context_;
  std::unique_ptr<FakeBroker> broker_ = std::make_unique<FakeBroker>(context_, "tcp://127.0.0.1:*");
  std::unique_ptr<Worker> worker_;
  std::future<Ending> ending_;
  std::atomic<int> troubles_{0};
};

TEST_F(WorkerShell, RunsAHandlerAndReportsItsResult) {
  start([](const Job& job, Context&) { return Outcome::success(std::string{job.payload} + "!"); });
  broker_->dispatch("work", 1, "hello");
  ASSERT_TRUE(completed(1));
  EXPECT_EQ(broker_->completions[0].result, "hello!");
  EXPECT_EQ(drained().kind, Ending::Kind::drained);
  EXPECT_EQ(broker_->goodbyes, 1U);
}

TEST_F(WorkerShell, WhatAHandlerThrowsIsAFailure) {
  start([](const Job& job, Context&) -> Outcome {
    if (job.payload == "std") throw std::runtime_error("no such luck");
    throw 7;
  });
  broker_->dispatch("work", 1, "std");
  broker_->dispatch("work", 1, "other");
  ASSERT_TRUE(completed(2));
  for (const auto& completion : broker_->completions) {
    EXPECT_EQ(completion.end, AttemptEnd::failed);
    EXPECT_EQ(completion.error_code, "EXCEPTION");
    EXPECT_EQ(completion.error_message.starts_with("no such luck"), completion.dispatch == 1);
  }
  drained();
}

TEST_F(WorkerShell, EveryOneOfManyShortJobsIsReportedOnce) {
  start({}, 3);
  constexpr std::uint32_t kJobs = 30'000;
  for (std::uint32_t sent = 0; sent < kJobs; sent += 5000) {
    broker_->dispatch("noop", 5000);
    ASSERT_TRUE(completed(sent + 5000));
  }
  std::set<std::uint64_t> seen;
  for (const auto& completion : broker_->completions) seen.insert(completion.dispatch);
  EXPECT_EQ(broker_->completions.size(), kJobs);
  EXPECT_EQ(seen.size(), kJobs);
  drained();
}

TEST_F(WorkerShell, DrainHandsBackWhatIsNotStartedAndFinishesWhatRuns) {
  std::promise<void> go;
  const std::shared_future<void> gate = go.get_future().share();
  std::atomic<int> running{0};
  start(
      [&, gate](const Job&, Context&) {
        ++running;
        gate.wait();
        return Outcome::success();
      },
      1);
  broker_->dispatch("work", 3);
  ASSERT_TRUE(broker_->serve_until([&] { return running == 1; }));
  worker_->drain();
  ASSERT_TRUE(broker_->serve_until([&] { return broker_->released.size() == 2; }));
  EXPECT_EQ(broker_->goodbyes, 0U);
  go.set_value();
  EXPECT_EQ(drained().kind, Ending::Kind::drained);
  EXPECT_EQ(broker_->completions.size(), 1U);
}

TEST_F(WorkerShell, ABrokerThatComesBackIsToldWhatRunsAndWhatWasFinished) {
  broker_ = std::make_unique<FakeBroker>(context_, "tcp://127.0.0.1:*", Millis{1500});
  std::promise<void> go;
  const std::shared_future<void> gate = go.get_future().share();
  std::atomic<int> running{0};
  start([&, gate](const Job& job, Context&) {
    ++running;
    if (job.payload == "long") gate.wait();
    return Outcome::success(std::string{job.payload});
  });
  broker_->acknowledges = false;
  broker_->dispatch("work", 1, "long");
  broker_->dispatch("work", 1, "short");
  ASSERT_TRUE(completed(1));
  const std::string endpoint = broker_->endpoint();
  broker_.reset();
  broker_ = std::make_unique<FakeBroker>(context_, endpoint, Millis{1500});
  ASSERT_TRUE(broker_->serve_until([&] { return broker_->hellos > 0 && broker_->completions.size() == 1; }));
  EXPECT_EQ(broker_->listed_started, 1U);
  EXPECT_EQ(broker_->listed_finished, 1U);
  EXPECT_EQ(broker_->completions[0].result, "short");
  go.set_value();
  ASSERT_TRUE(completed(2));
  EXPECT_EQ(running, 2);
  drained();
}

TEST_F(WorkerShell, AShortHandlerThatSuddenlyHangsDoesNotStopTheRenewals) {
  broker_ = std::make_unique<FakeBroker>(context_, "tcp://127.0.0.1:*", Millis{1500});
  std::promise<void> go;
  const std::shared_future<void> gate = go.get_future().share();
  std::atomic<bool> hangs{false};
  start([&, gate](const Job& job, Context&) {
    if (job.payload == "hang") {
      hangs = true;
      gate.wait();
    }
    return Outcome::success();
  });
  for (std::size_t run = 1; run <= 300; ++run) {  // proves itself short
    broker_->dispatch("work", 1);
    ASSERT_TRUE(completed(run));
  }
  broker_->dispatch("work", 1, "hang");
  ASSERT_TRUE(broker_->serve_until([&] { return hangs.load(); }));
  const std::size_t before = broker_->renewals;
  ASSERT_TRUE(broker_->serve_until([&] { return broker_->renewals >= before + 4; }));
  EXPECT_EQ(broker_->hellos, 1U);
  broker_->dispatch("work", 1);  // and work goes on beside it
  ASSERT_TRUE(completed(301));
  go.set_value();
  ASSERT_TRUE(completed(302));
  EXPECT_EQ(drained().kind, Ending::Kind::drained);
}

TEST_F(WorkerShell, WithoutAFreeDescriptorItConnectsAgainLaterAndItsJobsGoOn) {
#ifdef __SANITIZE_ADDRESS__
  GTEST_SKIP() << "its runtime asks a pipe whether memory may be read, and takes none for a broken object";
#endif
  std::promise<void> go;
  const std::shared_future<void> gate = go.get_future().share();
  std::atomic<int> running{0};
  start([&, gate](const Job&, Context&) {
    ++running;
    gate.wait();
    return Outcome::success();
  });
  broker_->dispatch("work", 1);
  ASSERT_TRUE(broker_->serve_until([&] { return running == 1; }));
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
  rlimit none = before;
  none.rlim_cur = 3;  // the standard streams; not less: poll(2) takes no more items than this
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &none), 0);
  broker_->send(wire::ErrorReply{Code::no_session, "say HELLO first", Millis{0}});
  const bool told = broker_->serve_until([&] { return troubles_ > 0; });
  const auto later = std::chrono::steady_clock::now() + std::chrono::milliseconds{400};  // it fails again and again
  EXPECT_TRUE(broker_->serve_until([&] { return std::chrono::steady_clock::now() > later; }));
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &before), 0);
  EXPECT_TRUE(told);
  ASSERT_TRUE(broker_->serve_until([&] { return broker_->hellos == 2; }));
  EXPECT_EQ(troubles_, 1);
  EXPECT_EQ(broker_->listed_started, 1U);
  go.set_value();
  ASSERT_TRUE(completed(1));
  EXPECT_EQ(running, 1);
  drained();
}

TEST_F(WorkerShell, ARunIsReportedAlsoIfTheOneQueuedBehindItHangs) {
  broker_ = std::make_unique<FakeBroker>(context_, "tcp://127.0.0.1:*", Millis{90'000});  // renewed far too late to help
  std::promise<void> go;
  const std::shared_future<void> gate = go.get_future().share();
  start(
      [gate](const Job& job, Context&) {
        if (job.payload == "hang") gate.wait();
        const std::int64_t us = job.payload == "slow" ? 100'000 : 150;
        const std::int64_t from = monotonic_us();
        while (monotonic_us() - from < us) {
        }
        return Outcome::success();
      },
      1);
  for (std::size_t run = 1; run <= 300; ++run) {  // proves itself short, but not tiny
    broker_->dispatch("work", 1);
    ASSERT_TRUE(completed(run));
  }
  broker_->dispatch("work", 1, "slow");
  broker_->dispatch("work", 1, "hang");
  EXPECT_TRUE(completed(301));
  go.set_value();
  ASSERT_TRUE(completed(302));
  drained();
}

TEST_F(WorkerShell, TheLastOfManyReportsArrivesThoughTheHandlerSaysNoMore) {
  broker_ = std::make_unique<FakeBroker>(context_, "tcp://127.0.0.1:*", Millis{90'000});  // renewed far too late to help
  std::promise<void> go;
  const std::shared_future<void> gate = go.get_future().share();
  start([gate](const Job&, Context& context) {
    context.progress(0.25, "a quarter");
    std::this_thread::sleep_for(std::chrono::milliseconds{50});
    context.progress(0.5, "half");
    context.progress(0.75, "nearly");
    gate.wait();
    return Outcome::success();
  });
  broker_->dispatch("work", 1);
  EXPECT_TRUE(broker_->serve_until([&] { return broker_->progress == 0.75; }));
  go.set_value();
  ASSERT_TRUE(completed(1));
  drained();
}

// In a process of its own: it leaves little address space.
[[noreturn]] void run_with_little_memory() {
  constexpr rlim_t kRoom = 300 * limits::MiB;
  rlim_t pages = 0;
  std::ifstream{"/proc/self/statm"} >> pages;
  const rlim_t bytes = pages * static_cast<rlim_t>(sysconf(_SC_PAGESIZE)) + kRoom;
  const rlimit little{bytes, bytes};
  if (setrlimit(RLIMIT_AS, &little) != 0) std::_Exit(3);
  WorkerOptions options;
  options.brokers = {"tcp://127.0.0.1:1"};
  options.slots = limits::kMaxSlots;
  Worker worker{options};
  worker.handle("work", [](const Job&, Context&) { return Outcome::success(); });
  const Result<Ending> ending = worker.run();
  if (ending) std::_Exit(4);
  std::fprintf(stderr, "%s\n", ending.error().message.c_str());
  std::_Exit(0);
}

TEST(WorkerDeathTest, ThreadsThatCannotBeStartedAreAnErrorAndNoCrash) {
#if ROTA_TEST_SANITIZED
  GTEST_SKIP() << "a sanitizer takes its address space itself";
#endif
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(run_with_little_memory(), ::testing::ExitedWithCode(0),
              "only [0-9]+ of 4096 handler threads could be started: .*; give fewer slots");
}

TEST_F(WorkerShell, CommandsAloneNeedNoThreads) {
  const auto threads = [] {
    const std::filesystem::directory_iterator all{"/proc/self/task"};
    return std::distance(begin(all), end(all));
  };
  ASSERT_EQ(setenv("ROTA_SPAWNER", ROTA_SPAWNER_PATH, 1), 0);
  WorkerOptions options;
  options.brokers = {broker_->endpoint()};
  options.queues = {{"default", 1}};
  options.slots = 500;
  worker_ = std::make_unique<Worker>(options);
  worker_->run_commands("command", {"true"}, 1000);
  ASSERT_TRUE(worker_->start_spawner());
  ending_ = std::async(std::launch::async, [this] { return worker_->run().value(); });
  ASSERT_TRUE(broker_->serve_until([&] { return broker_->hellos > 0; }));
  broker_->dispatch("command", 20);
  ASSERT_TRUE(completed(20));
  EXPECT_LT(threads(), 100);
  EXPECT_EQ(drained().kind, Ending::Kind::drained);
}

TEST_F(WorkerShell, ProgressAndStopRequestsPass) {
  start([](const Job&, Context& context) {
    context.progress(0.25, "a quarter");
    while (!context.stop_requested()) std::this_thread::yield();
    return Outcome::failure("STOPPED", "asked to");
  });
  broker_->dispatch("work", 1, {}, Millis{700});
  ASSERT_TRUE(broker_->serve_until([&] { return broker_->progress == 0.25; }));
  ASSERT_TRUE(completed(1));
  EXPECT_EQ(broker_->completions[0].end, AttemptEnd::timed_out);
  drained();
}

// Another thread goes on; exit(2) by its number on x86-64 and on others.
constexpr std::string_view kEndFirstThread =
    "import ctypes, os, threading, time; threading.Thread(target=time.sleep, args=(1000,)).start(); "
    "ctypes.CDLL(None).syscall(60 if os.uname().machine == \"x86_64\" else 93, 0)";

TEST_F(WorkerShell, WhenTheSpawnerDiesTheProcessesOfAJobAreGoneBeforeItIsReportedLost) {
  std::string folder = (std::filesystem::temp_directory_path() / "rota-worker-XXXXXX").string();
  ASSERT_NE(mkdtemp(folder.data()), nullptr);
  const auto number_in = [&folder](const std::string& name) {
    std::ifstream file{folder + '/' + name};
    std::string line;
    return std::getline(file, line) && !file.eof() ? std::stoi(line) : 0;
  };
  start(
      [](const Job&, Context&) { return Outcome::success(); }, 2,
      [&] {
        ASSERT_EQ(setenv("ROTA_SPAWNER", ROTA_SPAWNER_PATH, 1), 0);
        worker_->run_commands(
            "command",
            {"bash", "-c",
             "cd " + folder + "; sleep 1000 & echo $! > child; set -m; sleep 1000 & echo $! > other_group; python3 -c '" +
                 std::string{kEndFirstThread} +
                 "' & echo $! > no_first_thread; until grep -q ^State:.Z /proc/$!/status; do :; done; kill -9 $PPID; wait"},
            1000);
        ASSERT_TRUE(worker_->start_spawner());
      });
  broker_->dispatch("command", 1);
  ASSERT_TRUE(completed(1));
  EXPECT_EQ(broker_->completions[0].end, AttemptEnd::lost);
  const auto alive = [](pid_t pid) {
    std::error_code gone;
    for (const auto& thread : std::filesystem::directory_iterator{"/proc/" + std::to_string(pid) + "/task", gone}) {
      std::ifstream file{thread.path() / "stat"};
      std::string line;
      if (std::getline(file, line) && line.find(") Z") == std::string::npos && line.find(") X") == std::string::npos)
        return true;
    }
    return false;
  };
  for (const std::string name : {"child", "other_group", "no_first_thread"}) {
    ASSERT_NE(number_in(name), 0) << name;
    EXPECT_FALSE(alive(number_in(name))) << name;
  }
  EXPECT_EQ(ending_.wait_for(std::chrono::seconds{20}), std::future_status::ready);
  EXPECT_EQ(ending_.get().kind, Ending::Kind::broken);
  std::filesystem::remove_all(folder);
}

TEST_F(WorkerShell, KillReportsWhatRunsAsLost) {
  std::promise<void> go;
  const std::shared_future<void> gate = go.get_future().share();
  auto running = std::make_shared<std::atomic<int>>(0);
  start([running, gate](const Job&, Context&) {
    ++*running;
    gate.wait();
    return Outcome::success();
  });
  broker_->dispatch("work", 1);
  ASSERT_TRUE(broker_->serve_until([&] { return *running == 1; }));
  worker_->kill();
  ASSERT_TRUE(completed(1));
  EXPECT_EQ(broker_->completions[0].end, AttemptEnd::lost);
  ASSERT_TRUE(broker_->serve_until([&] { return ending_.wait_for(std::chrono::seconds{0}) == std::future_status::ready; }));
  EXPECT_EQ(ending_.get().kind, Ending::Kind::killed);
  go.set_value();
}

}  // namespace
}  // namespace rota::worker

#include <dirent.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "worker/command.h"
#include "worker/command_runner.h"
#include "worker/spawner/capture.h"
#include "worker/spawner/children.h"

namespace rota::worker {
namespace {

using spawner::Ended;
using Keep = spawner::Capture::Keep;
using namespace std::chrono_literals;

struct End {
  std::uint64_t id = 0;
  Ended::How how = Ended::How::exited;
  int number = 0;
  std::string reason, output, error;
};

// A real rota-spawner, spoken to over its stream.
class Spawner : public ::testing::Test {
 protected:
  void SetUp() override {
    auto started = CommandRunner::start(ROTA_SPAWNER_PATH);
    ASSERT_TRUE(started.ok()) << started.error().message;
    runner_ = std::make_unique<CommandRunner>(std::move(started).value());
    std::string folder = (std::filesystem::temp_directory_path() / "rota-spawner-XXXXXX").string();
    ASSERT_NE(mkdtemp(folder.data()), nullptr);
    folder_ = folder;
  }
  void TearDown() override {
    runner_.reset();
    std::filesystem::remove_all(folder_);
  }
  std::uint64_t run(std::vector<std::string> argv, std::string_view input = {}, std::vector<std::string> env = {},
                    std::uint64_t max_output = 1 << 20, std::string_view cwd = {}) {
    spawner::Run command;
    command.id = ++last_id_;
    command.max_output = max_output;
    command.argv.assign(argv.begin(), argv.end());
    command.env = std::move(env);
    command.input = input;
    command.cwd = cwd;
    runner_->run(command);
    return command.id;
  }
  // Waits for the next end.
  End next_end() {
    while (ends_.empty()) {
      EXPECT_TRUE(runner_->send());
      pollfd waiting{runner_->fd(), static_cast<short>(runner_->wants_to_send() ? POLLIN | POLLOUT : POLLIN), 0};
      if (poll(&waiting, 1, 30'000) == 0) {
        ADD_FAILURE() << "nothing ended within 30 s";
        return {};
      }
      const bool alive = runner_->receive([&](const Ended& ended) {
        ends_.push_back({ended.id, ended.how, ended.number, std::string{ended.reason}, std::string{ended.output},
                         std::string{ended.stderr_tail}});
      });
      if (!alive) {
        ADD_FAILURE() << "the spawner has ended";
        return {};
      }
    }
    End end = ends_.front();
    ends_.erase(ends_.begin());
    return end;
  }
  End shell(const std::string& script) {
    run({"sh", "-c", script});
    return next_end();
  }
  // Waits until a file has a line and gives it.
  std::string line_of(const std::string& name) {
    const auto until = std::chrono::steady_clock::now() + 20s;
    while (std::chrono::steady_clock::now() < until) {
      std::ifstream file{folder_ / name};
      std::string line;
      if (std::getline(file, line) && !file.eof()) return line;
      poll(nullptr, 0, 2);
    }
    ADD_FAILURE() << name << " was never written";
    return {};
  }

  std::unique_ptr<CommandRunner> runner_;
  std::filesystem::path folder_;
  std::uint64_t last_id_ = 0;
  std::vector<End> ends_;
};

// Gone, or a zombie that only waits to be reaped by init.
bool is_gone(pid_t pid) {
  std::ifstream file{"/proc/" + std::to_string(pid) + "/stat"};
  std::string line;
  if (!std::getline(file, line)) return true;
  const std::size_t at = line.rfind(") ");
  return at == std::string::npos || line[at + 2] == 'Z' || line[at + 2] == 'X';
}

bool gone_within(pid_t pid, std::chrono::milliseconds patience) {
  const auto until = std::chrono::steady_clock::now() + patience;
  while (!is_gone(pid)) {
    if (std::chrono::steady_clock::now() > until) return false;
    poll(nullptr, 0, 2);
  }
  return true;
}

TEST_F(Spawner, CapturesOutputErrorAndExitCode) {
  const End end = shell("echo out; echo err >&2; exit 3");
  EXPECT_EQ(end.how, Ended::How::exited);
  EXPECT_EQ(end.number, 3);
  EXPECT_EQ(end.output, "out\n");
  EXPECT_EQ(end.error, "err\n");
}

TEST_F(Spawner, DeathBySignalIsReportedAsSuch) {
  const End end = shell("kill -USR1 $$");
  EXPECT_EQ(end.how, Ended::How::signaled);
  EXPECT_EQ(end.number, SIGUSR1);
}

TEST_F(Spawner, ACommandThatCannotBeStartedSaysWhy) {
  run({"/no/such/command"});
  End end = next_end();
  EXPECT_EQ(end.how, Ended::How::not_started);
  EXPECT_EQ(end.number, ENOENT);
  EXPECT_EQ(end.reason, "cannot run '/no/such/command': No such file or directory");
  run({"definitely-not-in-path"});
  EXPECT_EQ(next_end().number, ENOENT);
  run({folder_.string()});
  EXPECT_EQ(next_end().number, EACCES);
  run({"true"}, {}, {}, 100, "/no/such/folder");
  end = next_end();
  EXPECT_EQ(end.reason, "cannot change to directory '/no/such/folder': No such file or directory");
  run({std::string{"tr\0ue", 5}});
  EXPECT_EQ(next_end().number, EINVAL);
}

TEST_F(Spawner, AMebibyteGoesThroughCat) {
  std::string input;
  for (int number = 0; input.size() < (1U << 20U); ++number) input += std::to_string(number) + "\n";
  input.resize(1U << 20U);
  run({"cat"}, input);
  EXPECT_EQ(next_end().output, input);
}

TEST_F(Spawner, LongOutputKeepsHeadAndTailAndSaysWhatIsMissing) {
  run({"sh", "-c", "echo begin; head -c 5000000 /dev/zero | tr '\\0' x; echo end"}, {}, {}, 10'000);
  const End end = next_end();
  EXPECT_LE(end.output.size(), 10'000U);
  EXPECT_TRUE(end.output.starts_with("begin\n"));
  EXPECT_TRUE(end.output.ends_with("xend\n"));
  EXPECT_NE(end.output.find("bytes missing"), std::string::npos);
}

TEST_F(Spawner, ALoudCommandDoesNotHoldUpAQuietOne) {
  const std::uint64_t loud = run({"sh", "-c", "yes"});
  run({"echo", "quiet"});
  EXPECT_EQ(next_end().output, "quiet\n");
  runner_->signal(loud, SIGKILL);
  const End end = next_end();
  EXPECT_EQ(end.id, loud);
  EXPECT_EQ(end.number, SIGKILL);
}

TEST_F(Spawner, EnvironmentAndDirectoryAreTheCommands) {
  run({"sh", "-c", "echo $ROTA_X; pwd; echo ${HOME:+home}"}, {}, {"ROTA_X=first", "ROTA_X=last"}, 1000, "/");
  EXPECT_EQ(next_end().output, "last\n/\nhome\n");
}

TEST_F(Spawner, TheExecutableIsSoughtInThePathOfTheCommand) {
  const auto program = folder_ / "mine";
  std::ofstream{program} << "#!/bin/sh\necho found\n";
  chmod(program.c_str(), 0755);
  run({"mine"}, {}, {"PATH=/nowhere:" + folder_.string()});
  EXPECT_EQ(next_end().output, "found\n");
}

TEST_F(Spawner, CommandsGetFreshSignals) {
  // Nothing ignored, nothing blocked; but for 32 and 33, which the C library keeps from everyone (or only 32, where a
  // sanitizer's runtime is in between).
  run({"sed", "-n", "s/^Sig\\(Ign\\|Blk\\):\t*0*/\\1=/p", "/proc/self/status"});
  const std::string masks = next_end().output;
  EXPECT_TRUE(masks == "Blk=\nIgn=\n" || masks == "Blk=\nIgn=180000000\n" || masks == "Blk=\nIgn=80000000\n") << masks;
}

TEST_F(Spawner, CommandsHoldNoForeignDescriptors) {
  run({"sh", "-c", "ls /proc/self/fd | wc -l"});
  EXPECT_EQ(next_end().output, "4\n");  // the three streams, and the folder that ls reads
}

TEST_F(Spawner, ABackgroundChildThatKeepsTheStreamDoesNotHoldUpTheEnd) {
  const End end = shell("sleep 1000 & echo $!");
  EXPECT_EQ(end.number, 0);
  EXPECT_TRUE(gone_within(std::stoi(end.output), 1s));
}

TEST_F(Spawner, ADaemonThatKeepsTheStreamDoesNotHoldUpTheEndAndIsLeftAlone) {
  const End end = shell("setsid sleep 1000 & echo $!; while ! [ -e /proc/$! ]; do :; done");
  EXPECT_EQ(end.number, 0);
}

TEST_F(Spawner, EverythingDiesWithTheWorker) {
  const std::string folder = folder_.string();
  run({"sh", "-c", "echo $$ > " + folder + "/group; sleep 1000"});
  run({"sh", "-c",
       "setsid sh -c 'echo $$ > " + folder + "/session; sleep 1000 & echo $! > " + folder +
           "/grandchild; wait' & sleep 1000"});
  run({"sh", "-c",
       "(setsid sh -c 'trap \"\" TERM INT HUP; echo $$ > " + folder +
           "/daemon; sleep 1000; sleep 1000' &); "
           "while ! [ -s " +
           folder + "/daemon ]; do :; done"});
  ASSERT_TRUE(runner_->send());
  std::vector<pid_t> all;
  for (const char* name : {"group", "session", "grandchild", "daemon"}) all.push_back(std::stoi(line_of(name)));
  const auto closed = std::chrono::steady_clock::now();
  runner_.reset();  // closes the stream; returns when the spawner has ended
  EXPECT_LT(std::chrono::steady_clock::now() - closed, 1s);
  for (const pid_t pid : all) EXPECT_TRUE(is_gone(pid)) << pid;
}

TEST_F(Spawner, CommandsDieWithTheSpawner) {
  run({"sh", "-c", "echo $$ > " + (folder_ / "pid").string() + "; exec sleep 1000"});
  ASSERT_TRUE(runner_->send());
  const pid_t command = std::stoi(line_of("pid"));
  kill(runner_->pid(), SIGKILL);
  EXPECT_TRUE(gone_within(command, 1s));
}

TEST_F(Spawner, WhatACommandStartedDiesWithTheRunnerWhenTheSpawnerWasKilled) {
  const std::string folder = folder_.string();
  run({"sh", "-c", "sleep 1000 & echo $! > " + folder + "/child; wait"});
  run({"true"});
  ASSERT_EQ(next_end().number, 0);
  const pid_t child = std::stoi(line_of("child"));
  kill(runner_->pid(), SIGKILL);
  runner_->abandon([](const Ended&) { ADD_FAILURE() << "nothing has ended"; });
  EXPECT_FALSE(is_gone(child));
  runner_.reset();
  EXPECT_TRUE(gone_within(child, 1s));
}

TEST_F(Spawner, IgnoresWhatATerminalSends) {
  kill(runner_->pid(), SIGINT);
  kill(runner_->pid(), SIGTERM);
  EXPECT_EQ(shell("echo alive").output, "alive\n");
}

TEST_F(Spawner, ManyCommandsAtOnceAllEnd) {
  for (int count = 0; count < 300; ++count) run({"sh", "-c", "echo " + std::to_string(count)});
  std::vector<bool> seen(301);
  for (int count = 0; count < 300; ++count) {
    const End end = next_end();
    EXPECT_EQ(end.output, std::to_string(end.id - 1) + "\n");
    seen[end.id] = true;
  }
  EXPECT_EQ(std::count(seen.begin(), seen.end(), true), 300);
}

TEST(Capture, KeepsAllThatFits) {
  spawner::Capture capture{10, Keep::head_and_tail};
  capture.append("01234");
  capture.append("56789");
  EXPECT_EQ(capture.take(), "0123456789");
}

TEST(Capture, CutsTheMiddleWhateverThePieces) {
  std::string whole;
  for (int number = 0; number < 400; ++number) whole += std::to_string(number) + ",";
  for (const std::size_t piece : {1, 7, 100, 333, 5000}) {
    spawner::Capture capture{400, Keep::head_and_tail};
    for (std::size_t at = 0; at < whole.size(); at += piece) capture.append(std::string_view{whole}.substr(at, piece));
    const std::string kept = capture.take();
    // "\n[... 1490 bytes missing ...]\n" takes 30 bytes and leaves 370.
    const std::string missing = "\n[... " + std::to_string(whole.size() - 370) + " bytes missing ...]\n";
    EXPECT_EQ(kept, whole.substr(0, 185) + missing + whole.substr(whole.size() - 185)) << piece;
  }
}

TEST(Capture, HoweverSmallTheLimitItSaysHowMuchIsMissing) {
  const std::string whole = std::string(500, 'h') + std::string(500, 't');
  for (std::size_t most = 0; most <= 200; ++most) {
    std::string kept = whole;
    spawner::cut_middle(kept, most);
    const std::size_t shared = most < 30 ? 0 : most - 30;  // what "\n[... 1000 bytes missing ...]\n" leaves
    const std::string missing = "\n[... " + std::to_string(1000 - shared) + " bytes missing ...]\n";
    EXPECT_EQ(kept, std::string(shared / 2, 'h') + missing + std::string(shared - shared / 2, 't')) << most;
    EXPECT_LE(kept.size(), std::max<std::size_t>(most, 30)) << most;
  }
}

TEST(Capture, ATailAloneKeepsTheLastBytes) {
  spawner::Capture capture{4, Keep::tail};
  for (const char c : std::string{"abcdefghij"}) capture.append(std::string{c});
  EXPECT_EQ(capture.take(), "ghij");
}

TEST(Command, SelectorsFillTheHoles) {
  Batch batch;
  batch.dispatch.shared.resize(1);
  batch.dispatch.shared[0].queue = "q";
  batch.dispatch.items.resize(1);
  batch.specs.resize(1);
  batch.specs[0].command = wire::Command{{"convert", "{}", "{}.png"}, {}, {}};
  wire::Selector& selector = batch.dispatch.items[0].selector;
  selector.kind = wire::Selector::Kind::line;
  selector.line = "a b{}";
  const auto argv = [&](const CommandType& type) {
    PreparedCommand prepared;
    EXPECT_TRUE(prepare_command(type, {&batch, 0}, {"w", ""}, prepared));
    return prepared.arguments;
  };
  using Words = std::vector<std::string>;
  EXPECT_EQ(argv({}), (Words{"convert", "a b{}", "a b{}.png"}));
  batch.specs[0].command->argv = {"wc", "-l"};
  EXPECT_EQ(argv({}), (Words{"wc", "-l", "a b{}"}));
  EXPECT_EQ(argv({{"own", "-x"}, 10}), (Words{"own", "-x"}));
  selector.kind = wire::Selector::Kind::index;
  selector.index = -7;
  EXPECT_EQ(argv({}), (Words{"wc", "-l"}));
  batch.specs[0].command->argv = {"job{}"};
  EXPECT_EQ(argv({}), (Words{"job-7"}));
  batch.specs[0].command.reset();
  PreparedCommand prepared;
  EXPECT_FALSE(prepare_command({}, {&batch, 0}, {"w", ""}, prepared));
}

TEST(Command, AnExpansionThatNothingCouldRunIsRefusedBeforeItIsMade) {
  std::string argument;
  for (int holes = 0; holes < 8000; ++holes) argument += "{}";
  Batch batch;
  batch.dispatch.shared.resize(1);
  batch.dispatch.shared[0].queue = "q";
  batch.dispatch.items.resize(1);
  batch.specs.resize(1);
  batch.specs[0].command = wire::Command{{"true", argument}, {}, {}};
  wire::Selector& selector = batch.dispatch.items[0].selector;
  selector.kind = wire::Selector::Kind::line;
  const std::string line(60'000, 'x');
  selector.line = line;
  PreparedCommand refused;
  const Status status = prepare_command({}, {&batch, 0}, {"w", ""}, refused);
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code, Code::too_large);
  EXPECT_EQ(status.error().message,
            "the command would be 480000006 bytes long with its line or index put in; at most 2097152 can be run: give it "
            "fewer {}, or let it read ROTA_JOB_LINE or ROTA_JOB_INDEX");
  selector.line = std::string_view{line}.substr(0, 262);  // 5 + 8000 * 262 + 1
  PreparedCommand fits;
  ASSERT_TRUE(prepare_command({}, {&batch, 0}, {"w", ""}, fits));
  EXPECT_EQ(fits.arguments[1], std::string(8000UL * 262, 'x'));
}

// Ends what it may and returns, though a child of another user lives on.
TEST(Children, OneThatMayNotBeKilledIsLeft) {
  if (geteuid() != 0) GTEST_SKIP() << "only root can make a process that it then may not kill";
  std::array<int, 2> ends{};
  ASSERT_EQ(pipe(ends.data()), 0);
  const pid_t parent = fork();
  if (parent == 0) {
    const pid_t foreign = fork();
    if (foreign == 0) {
      for (;;) pause();
    }
    if (write(ends[1], &foreign, sizeof foreign) != sizeof foreign) _exit(2);
    if (setresuid(65534, 65534, 65534) != 0) _exit(3);
    const pid_t own = fork();
    if (own == 0) {
      for (;;) pause();
    }
    spawner::end_all_descendants({});
    _exit(kill(own, 0) == 0 ? 4 : 0);
  }
  pid_t foreign = 0;
  ASSERT_EQ(read(ends[0], &foreign, sizeof foreign), static_cast<ssize_t>(sizeof foreign));
  int status = 0;
  pid_t ended = 0;
  const auto until = std::chrono::steady_clock::now() + limits::kDyingPatience - 1s;
  while ((ended = waitpid(parent, &status, WNOHANG)) == 0 && std::chrono::steady_clock::now() < until) poll(nullptr, 0, 2);
  EXPECT_EQ(ended, parent);
  EXPECT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 0);
  EXPECT_FALSE(is_gone(foreign));
  kill(foreign, SIGKILL);
  if (ended == 0) {
    kill(parent, SIGKILL);
    waitpid(parent, nullptr, 0);
  }
  close(ends[0]);
  close(ends[1]);
}

TEST(Command, KeepsNoMoreOutputThanTheBrokerTakes) {
  Batch batch;
  batch.dispatch.shared.resize(1);
  batch.dispatch.items.resize(1);
  batch.specs.resize(1);
  const auto kept = [&](std::uint64_t max_output, std::uint64_t max_result) {
    PreparedCommand prepared;
    EXPECT_TRUE(prepare_command({{"true"}, max_output}, {&batch, 0}, {"w", "", max_result}, prepared));
    return prepared.run.max_output;
  };
  EXPECT_EQ(kept(5000, 2000), 2000U);
  EXPECT_EQ(kept(1000, 2000), 1000U);
}

}  // namespace
}  // namespace rota::worker

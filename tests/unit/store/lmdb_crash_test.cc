#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <random>

#include "tests/conformance/store_driver.h"

// A process that commits is killed at random, again and again on one directory.
namespace rota::store::test {
namespace {

// What a child says after each commit that returned: every job up to `accepted` and every end up to `ended` is on disk.
struct Progress {
  std::uint64_t accepted = 0;
  std::uint64_t ended = 0;
};

constexpr std::uint64_t kJobs = 7;  // in each commit

// Accepts, leases, ends and files jobs until it is killed. Job numbers are sequences and dispatch numbers.
[[noreturn]] void run_child(const std::string& directory, Progress progress, int pipe) {
  auto store = open_lmdb(directory, {});
  if (!store) ::_exit(2);
  Loaded loaded;
  if (!(*store)->load(loaded)) ::_exit(3);
  for (std::int64_t round = 0;; ++round) {
    Changes changes;
    for (std::uint64_t n = 1; n <= kJobs; ++n) changes.accept(Job{.number = progress.accepted + n});
    const bool ends = progress.accepted > progress.ended + 3 * kJobs;
    for (std::uint64_t n = 1; ends && n <= kJobs; ++n) changes.finish(progress.ended + n);
    if (!commit(**store, changes)) ::_exit(4);
    progress.accepted += kJobs;
    if (ends) progress.ended += kJobs;
    if (::write(pipe, &progress, sizeof progress) != static_cast<ssize_t>(sizeof progress)) ::_exit(5);
    if (!(*store)->maintain(kStart + Millis{round * 300})) ::_exit(6);
  }
}

// Reads what the child says until it has said `commits` things, kills it, and reads the rest.
Progress run_and_kill(const std::string& directory, Progress progress, std::uint64_t commits,
                      std::chrono::microseconds wait) {
  int fds[2];
  EXPECT_EQ(::pipe(fds), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    ::close(fds[0]);
    run_child(directory, progress, fds[1]);
  }
  ::close(fds[1]);
  std::uint64_t seen = 0;
  while (::read(fds[0], &progress, sizeof progress) == static_cast<ssize_t>(sizeof progress)) {
    if (++seen != commits) continue;
    ::usleep(static_cast<useconds_t>(wait.count()));  // to be anywhere in a commit: not for any event
    ::kill(child, SIGKILL);
  }
  ::close(fds[0]);
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_TRUE(WIFSIGNALED(status)) << "the child ended by itself with " << WEXITSTATUS(status);
  return progress;
}

TEST(LmdbStore, EveryCommitThatReturnedSurvivesSigkill) {
  const TempDir directory;
  std::mt19937_64 random(7);
  Progress progress;
  for (int round = 0; round < 25; ++round) {
    progress = run_and_kill(directory.path(), progress, 1 + random() % 30, std::chrono::microseconds(random() % 3000));
    auto store = open_store(directory.path());
    ASSERT_NE(store, nullptr);
    Loaded loaded;
    const auto opened = store->load(loaded);
    ASSERT_TRUE(opened.ok()) << opened.error().message;
    EXPECT_EQ(opened->epoch, 2U * static_cast<std::uint64_t>(round) + 2);
    // The commit that was under way may be there too, as a whole.
    const std::uint64_t accepted = opened->next_sequence - 1;
    ASSERT_TRUE(accepted == progress.accepted || accepted == progress.accepted + kJobs) << accepted;
    const std::uint64_t ended = accepted - loaded.jobs.size();
    ASSERT_TRUE(ended == progress.ended || (accepted > progress.accepted && ended == progress.ended + kJobs)) << ended;
    for (std::uint64_t n = ended + 1; n <= accepted; ++n) {
      ASSERT_TRUE(loaded.jobs.contains(n)) << n;
      ASSERT_EQ(loaded.jobs.at(n).id, job_id(n));
    }
    std::vector<JobId> ids;
    for (std::uint64_t n = 1; n <= accepted; ++n) ids.push_back(job_id(n));
    std::size_t found = 0;
    ASSERT_TRUE(store
                    ->find(ids, {true},
                           [&](std::size_t i, const queue::FinishedJob& job) {
                             EXPECT_LT(i, ended);
                             EXPECT_EQ(job.job.body, "body");
                             ++found;
                           })
                    .ok());
    ASSERT_EQ(found, ended);
    progress = {accepted, ended};
  }
}

}  // namespace
}  // namespace rota::store::test

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <random>

#include "broker/store/fields.h"
#include "broker/store/lmdb_meta.h"
#include "tests/conformance/store_driver.h"

// What only the store on disk does: open again, refuse, notice damage.
namespace rota::store::test {
namespace {

struct Reopened {
  std::unique_ptr<Store> store;
  Loaded loaded;
  Opened opened;
};
// A small file, so that tests can search and damage it.
const StoreOptions kSmall{.store_limit = 16 * limits::MiB};

Reopened reopen(const std::string& directory, const StoreOptions& options = kSmall) {
  Reopened result;
  result.store = open_store(directory, options);
  if (result.store == nullptr) return result;
  const auto opened = result.store->load(result.loaded);
  EXPECT_TRUE(opened.ok()) << opened.error().message;
  if (opened.ok()) result.opened = *opened;
  EXPECT_EQ(result.opened.live_jobs, result.loaded.jobs.size());
  return result;
}

std::string data_file(const TempDir& directory) { return directory.path() + "/data.mdb"; }

std::string read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

// Inverts a bit of every place where `text` stands in the file. Returns how many there were.
int damage(const std::string& path, std::string_view text, std::size_t offset) {
  std::string bytes = read_file(path);
  int places = 0;
  for (std::size_t at = bytes.find(text); at != std::string::npos; at = bytes.find(text, at + 1)) {
    bytes[at + offset] = static_cast<char>(bytes[at + offset] ^ 1);
    ++places;
  }
  std::ofstream(path, std::ios::binary | std::ios::in).write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  return places;
}

TEST(LmdbStore, FiledJobIsForgottenThoughNoJobEndsAfterARestart) {
  const TempDir directory;
  {
    const Reopened first = reopen(directory.path());
    must_commit(*first.store, Changes().accept(Job{}).finish(1, 0, "r", kStart + Millis{20'000}));
    EXPECT_EQ(maintain_all(*first.store, kStart).swept, 1U);
  }
  const Reopened second = reopen(directory.path());
  EXPECT_EQ(maintain_all(*second.store, kStart + Millis{10'000}).forgotten, 0U);
  EXPECT_EQ(maintain_after_pause(*second.store, kStart + Millis{30'000}).forgotten, 1U);
}

TEST(LmdbStore, NothingIsWrittenOfAJobThatCameAndWentWithinABatch) {
  const TempDir directory;
  const Reopened first = reopen(directory.path());
  queue::StateRecord state;
  state.sequence = 1;
  const auto info = commit(*first.store, Changes().accept(Job{}).change(state).lease(1, 1).finish(1, 1).forget(1, 1, 1));
  ASSERT_TRUE(info.ok());
  EXPECT_EQ(info->bytes, 0U);
}

TEST(LmdbStore, ReopenedStoreHasEveryLiveJobWithItsStateAndLease) {
  const TempDir directory;
  Uuid broker;
  {
    auto first = reopen(directory.path());
    broker = first.opened.broker_id;
    queue::StateRecord state;
    state.sequence = 2;
    state.attempts = 3;
    state.failures = 2;
    state.losses = 1;
    state.run_at = kStart + Millis{777};
    state.consumed = {1, 5};
    state.report = "earlier report";
    Changes changes;
    Job rich{.number = 1, .body = std::string(3000, 'x'), .queue = "images", .type = "resize"};
    rich.key = "once";
    rich.priority = -3;
    rich.policy.retries = 9;
    changes.accept(rich).accept(Job{.number = 2}).accept(Job{.number = 3}).accept(Job{.number = 4});
    must_commit(*first.store, changes);
    must_commit(*first.store, Changes().change(state).lease(1, 8).lease(3, 9).lease(4, 10));
    must_commit(*first.store,
                Changes().end_lease(3, 9).end_lease(4, 10).lease(4, 11).pause("images", true).pause("b", true));
    must_commit(*first.store, Changes().pause("b", false));
  }
  const auto again = reopen(directory.path());
  EXPECT_EQ(again.opened.broker_id, broker);
  EXPECT_EQ(again.opened.epoch, 2U);
  EXPECT_EQ(again.opened.next_sequence, 5U);
  EXPECT_EQ(again.opened.next_dispatch, 12U);
  EXPECT_EQ(again.loaded.paused, std::vector<std::string>{"images"});
  ASSERT_EQ(again.loaded.sequences(), (std::vector<queue::Sequence>{1, 2, 3, 4}));
  const Live& first = again.loaded.jobs.at(1);
  EXPECT_EQ(first.id, job_id(1));
  EXPECT_EQ(first.queue, "images");
  EXPECT_EQ(first.type, "resize");
  EXPECT_EQ(first.key, "once");
  EXPECT_EQ(first.priority, -3);
  EXPECT_EQ(first.policy.retries, 9U);
  EXPECT_EQ(first.content_hash, 7919U);
  EXPECT_EQ(first.created_at, kStart + Millis{1});
  EXPECT_EQ(first.body_size, 3000U);
  EXPECT_FALSE(first.state);
  ASSERT_TRUE(first.lease);
  EXPECT_EQ(first.lease->token, (Token{1, 8}));
  EXPECT_EQ(first.lease->slots, 4U);
  EXPECT_EQ(first.lease->session.bytes[3], 77);
  const Live& second = again.loaded.jobs.at(2);
  ASSERT_TRUE(second.state);
  EXPECT_EQ(second.state->attempts, 3U);
  EXPECT_EQ(second.state->losses, 1U);
  EXPECT_EQ(second.state->run_at, kStart + Millis{777});
  EXPECT_EQ(second.state->consumed, (Token{1, 5}));
  EXPECT_EQ(second.report, "earlier report");
  EXPECT_FALSE(again.loaded.jobs.at(3).lease);
  EXPECT_FALSE(again.loaded.jobs.at(3).state);
  ASSERT_TRUE(again.loaded.jobs.at(4).lease);
  EXPECT_EQ(again.loaded.jobs.at(4).lease->token.dispatch, 11U);
}

TEST(LmdbStore, EndedJobsStayEndedWhetherFiledOrNot) {
  const TempDir directory;
  {
    auto first = reopen(directory.path());
    Changes changes;
    for (std::uint64_t n = 1; n <= 7; ++n) changes.accept(Job{.number = n});
    must_commit(*first.store, changes);
    must_commit(*first.store, Changes().finish(1).finish(2).forget(2));
    maintain_all(*first.store, kStart);
    must_commit(*first.store, Changes().lease(3, 1).lease(4, 2));
    must_commit(*first.store, Changes().finish(3, 1).finish(4, 2).forget(4, 4, 2).forget(5));
    must_commit(*first.store, Changes().revive(1, 1, 8).finish(6).revive(6, 6, 9));
  }
  for (int round = 0; round < 2; ++round) {
    auto again = reopen(directory.path());
    EXPECT_EQ(again.loaded.sequences(), (std::vector<queue::Sequence>{7, 8, 9})) << round;
    EXPECT_EQ(again.loaded.jobs.at(8).id, job_id(1));
    EXPECT_EQ(again.loaded.jobs.at(9).id, job_id(6));
    EXPECT_TRUE(again.loaded.jobs.at(8).state);
    EXPECT_EQ(again.opened.next_sequence, 10U);
    EXPECT_TRUE(finished(*again.store, 3));
    for (const std::uint64_t gone : {1U, 2U, 4U, 5U, 6U, 7U}) EXPECT_FALSE(finished(*again.store, gone)) << gone;
    EXPECT_EQ(body_of(*again.store, 8)->body, "body");
    maintain_all(*again.store, kStart);
    EXPECT_EQ(again.store->usage().finished_jobs, 1U);
  }
}

TEST(LmdbStore, NumbersAreNeverGivenTwice) {
  const TempDir directory;
  {
    auto first = reopen(directory.path());
    Changes changes;
    changes.accept(Job{.number = 1, .sequence = 500}).lease(500, 90);
    const auto batch = first.store->new_batch();
    for (const auto& change : changes.all()) batch->stage(change);
    batch->note_id_clock(kStart + Millis{5});
    batch->note_id_clock(kStart + Millis{3});
    ASSERT_TRUE(first.store->commit(*batch).ok());
    must_commit(*first.store, Changes().forget(1, 500, 90));
    maintain_all(*first.store, kStart);
    // Dropped within its batch, yet given out.
    must_commit(*first.store, Changes().accept(Job{.number = 2, .sequence = 501}).forget(2, 501));
  }
  const auto again = reopen(directory.path());
  EXPECT_EQ(again.opened.next_sequence, 502U);
  EXPECT_EQ(again.opened.next_dispatch, 91U);
  EXPECT_EQ(again.opened.id_clock, kStart + Millis{5});
  EXPECT_EQ(again.opened.live_jobs, 0U);
}

TEST(LmdbStore, SweptStoreHoldsNothingOfForgottenJobs) {
  const TempDir directory;
  auto first = reopen(directory.path());
  Changes changes;
  for (std::uint64_t n = 1; n <= 50; ++n) changes.accept(Job{.number = n, .spec = std::string(400, 's')});
  must_commit(*first.store, changes);
  Changes ends;
  for (std::uint64_t n = 1; n <= 50; ++n) {
    ends.lease(n, n);
  }
  must_commit(*first.store, ends);
  Changes finishes;
  for (std::uint64_t n = 1; n <= 50; ++n) finishes.finish(n, n, "r", kStart + Millis{3000});
  must_commit(*first.store, finishes);
  maintain_all(*first.store, kStart);
  maintain_after_pause(*first.store, kStart + Millis{4000});
  first.store.reset();
  const auto env = lmdb::Env::open(directory.path(), limits::GiB, limits::GiB);
  ASSERT_TRUE(env.ok());
  ASSERT_TRUE(lmdb::prepare_tables(**env).ok());
  const auto txn = (*env)->begin_read();
  ASSERT_TRUE(txn.ok());
  for (std::size_t i = 2; i <= kTableCount; ++i) {
    EXPECT_EQ((*env)->entries(*txn, static_cast<Table>(i)), 0U) << table_name(static_cast<Table>(i));
  }
}

TEST(LmdbStore, SecondOpenerIsToldWhoHoldsTheDirectory) {
  const TempDir directory;
  auto first = reopen(directory.path());
  const auto second = open_lmdb(directory.path(), {});
  ASSERT_FALSE(second.ok());
  EXPECT_EQ(second.error().code, Code::retry_later);
  EXPECT_THAT(second.error().message, testing::HasSubstr(directory.path()));
  EXPECT_THAT(second.error().message, testing::HasSubstr("pid " + std::to_string(::getpid())));
  first.store.reset();
  EXPECT_TRUE(open_lmdb(directory.path(), {}).ok());
}

TEST(LmdbStore, NoFileOfTheStoreIsInheritedByPrograms) {
  const TempDir directory;
  const auto first = reopen(directory.path());
  int files = 0;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
    std::error_code ec;
    const auto target = std::filesystem::read_symlink(entry.path(), ec).string();
    if (!target.starts_with(directory.path())) continue;
    ++files;
    const int fd = std::stoi(entry.path().filename().string());
    EXPECT_NE(::fcntl(fd, F_GETFD) & FD_CLOEXEC, 0) << target;
  }
  EXPECT_GE(files, 3);
}

TEST(LmdbStore, DirectoryIsMadeForItsOwnerOnly) {
  const TempDir parent;
  const std::string path = parent.path() + "/a/b";
  const auto first = reopen(path);
  struct stat info {};
  ASSERT_EQ(::stat(path.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777U, 0700U);
  ASSERT_EQ(::stat((path + "/data.mdb").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777U, 0600U);
}

TEST(LmdbStore, DirectoryThatCannotBeMadeOrWrittenIsForbidden) {
  const TempDir parent;
  std::ofstream(parent.path() + "/file") << "x";
  for (const std::string& path : {parent.path() + "/file", parent.path() + "/file/below"}) {
    const auto store = open_lmdb(path, {});
    ASSERT_FALSE(store.ok());
    EXPECT_EQ(store.error().code, Code::forbidden);
    EXPECT_THAT(store.error().message, testing::HasSubstr(path));
  }
  const std::string closed = parent.path() + "/closed";
  std::filesystem::create_directory(closed);
  std::filesystem::permissions(parent.path(), std::filesystem::perms::all);
  std::filesystem::permissions(closed, std::filesystem::perms(0555));
  const uid_t user = ::geteuid();
  ASSERT_TRUE(user != 0 || ::seteuid(65534) == 0);
  const auto store = open_lmdb(closed, {});
  ASSERT_TRUE(user != 0 || ::seteuid(0) == 0);
  ASSERT_FALSE(store.ok());
  EXPECT_EQ(store.error().code, Code::forbidden);
  EXPECT_THAT(store.error().message, testing::HasSubstr(closed));
}

TEST(LmdbStore, NewerFormatIsRefusedByNumber) {
  const TempDir directory;
  reopen(directory.path());
  {
    const auto env = lmdb::Env::open(directory.path(), limits::GiB, limits::GiB);
    ASSERT_TRUE(env.ok());
    ASSERT_TRUE(lmdb::prepare_tables(**env).ok());
    auto txn = (*env)->begin_write();
    ASSERT_TRUE(txn.ok());
    {
      const auto cursor = (*env)->cursor(*txn, Table::meta);
      ASSERT_EQ(lmdb::put(*cursor, Table::meta, "format", {"\x03"}, 0), 0);
    }
    ASSERT_EQ(txn->commit(), 0);
  }
  const auto store = open_lmdb(directory.path(), {});
  ASSERT_FALSE(store.ok());
  EXPECT_EQ(store.error().code, Code::version);
  EXPECT_EQ(store.error().message,
            directory.path() + " holds format 3, this broker reads up to 1; use a newer rota-broker");
}

TEST(LmdbStore, FileOfSomethingElseIsRefused) {
  const TempDir directory;
  std::ofstream(data_file(directory)) << std::string(20'000, 'z');
  const auto store = open_lmdb(directory.path(), {});
  ASSERT_FALSE(store.ok());
  EXPECT_EQ(store.error().code, Code::internal);
  EXPECT_THAT(store.error().message, testing::HasSubstr("data.mdb is damaged"));
}

TEST(LmdbStore, DamagedLiveJobStopsTheStart) {
  const TempDir directory;
  must_commit(*reopen(directory.path()).store, Changes().accept(Job{.number = 1, .body = "find-this-body"}));
  ASSERT_GT(damage(data_file(directory), "find-this-body", 5), 0);
  const auto store = open_store(directory.path(), kSmall);
  Loaded loaded;
  const auto opened = store->load(loaded);
  ASSERT_FALSE(opened.ok());
  EXPECT_EQ(opened.error().code, Code::internal);
  EXPECT_THAT(opened.error().message, testing::HasSubstr("bodies record 1 is damaged"));
}

TEST(LmdbStore, DamagedNameOfATableStopsTheStart) {
  for (std::size_t i = 1; i <= kTableCount; ++i) {
    const TempDir directory;
    must_commit(*reopen(directory.path()).store, Changes().accept(Job{.number = 1}).finish(1, 0, "report"));
    const std::string name(table_name(static_cast<Table>(i)));
    ASSERT_GT(damage(data_file(directory), name, name.size() - 1), 0) << name;
    const auto store = open_lmdb(directory.path(), kSmall);
    ASSERT_FALSE(store.ok()) << name;
    EXPECT_EQ(store.error().code, Code::internal);
    EXPECT_THAT(store.error().message, testing::HasSubstr("has no table " + name + ": it is damaged"));
  }
}

TEST(LmdbStore, DamagedLargeBodyIsNeverHandedOut) {
  const TempDir directory;
  must_commit(*reopen(directory.path()).store,
              Changes().accept(Job{.number = 1, .body = std::string(50'000, 'x') + "find-this-body"}));
  ASSERT_GT(damage(data_file(directory), "find-this-body", 5), 0);
  const auto again = reopen(directory.path());
  const queue::Sequence sequence = 1;
  const Status read = again.store->bodies(std::span(&sequence, 1), [](std::size_t, const Batch::Body&) { FAIL(); });
  ASSERT_FALSE(read.ok());
  EXPECT_EQ(read.error().code, Code::internal);
  EXPECT_THAT(read.error().message, testing::HasSubstr("bodies record 1 is damaged"));
}

TEST(LmdbStore, DamagedOutcomeIsNamed) {
  const TempDir directory;
  {
    auto first = reopen(directory.path());
    must_commit(*first.store, Changes().accept(Job{.number = 1}).finish(1, 0, "find-this-report"));
    maintain_all(*first.store, kStart);
  }
  ASSERT_GT(damage(data_file(directory), "find-this-report", 3), 0);
  const auto again = reopen(directory.path());
  const JobId id = job_id(1);
  const Status read = again.store->find(std::span(&id, 1), {}, [](std::size_t, const queue::FinishedJob&) { FAIL(); });
  ASSERT_FALSE(read.ok());
  EXPECT_EQ(read.error().code, Code::internal);
  EXPECT_THAT(read.error().message, testing::HasSubstr("finished record " + to_string(id) + " is damaged"));
}

TEST(LmdbStore, DamagedRecordIsNeverListedNorPassedOver) {
  const TempDir directory;
  {
    auto first = reopen(directory.path());
    must_commit(*first.store, Changes()
                                  .accept(Job{.number = 1, .queue = "other"})
                                  .accept(Job{.number = 2})
                                  .finish(1, 0, "sound")
                                  .finish(2, 0, "find-this-report"));
    maintain_all(*first.store, kStart);
  }
  ASSERT_GT(damage(data_file(directory), "find-this-report", 3), 0);
  const auto again = reopen(directory.path());
  std::vector<JobId> given;
  const auto sink = [&](const queue::FinishedJob& job) { given.push_back(job.job.id); };
  const auto all = again.store->list({}, sink);
  ASSERT_FALSE(all.ok());
  EXPECT_EQ(all.error().code, Code::internal);
  EXPECT_THAT(all.error().message, testing::HasSubstr("finished record " + to_string(job_id(2)) + " is damaged"));
  EXPECT_TRUE(given.empty());
  // Whether it is of that queue or in that state, a damaged record cannot tell.
  ListQuery other;
  other.queue = "other";
  ListQuery failed;
  failed.states = state_bit(JobState::failed);
  for (const ListQuery& query : {other, failed}) EXPECT_FALSE(again.store->list(query, sink).ok());
  EXPECT_TRUE(given.empty());
  ListQuery past;
  past.below = job_id(2);
  ASSERT_TRUE(again.store->list(past, sink).ok());
  EXPECT_EQ(given, (std::vector<JobId>{job_id(1)}));
}

// 0: refused with an error; 3: everything is there and right; anything else is silent damage. Runs in a child: LMDB may
// crash on a damaged tree, which is loud enough.
int open_damaged(const std::string& directory) {
  auto store = open_lmdb(directory, kSmall);
  if (!store) return 0;
  Loaded loaded;
  if (!(*store)->load(loaded)) return 0;
  if (loaded.jobs.size() != 60) return 1;
  for (const auto& [sequence, live] : loaded.jobs) {
    if (live.id != job_id(sequence) || live.queue != "default") return 1;
    std::string body;
    const Status read =
        (*store)->bodies(std::span(&sequence, 1), [&](std::size_t, const Batch::Body& found) { body = found.body; });
    if (!read) return 0;
    if (body != std::string(100 + 97 * sequence, static_cast<char>('a' + sequence % 26))) return 1;
  }
  return 3;
}

TEST(LmdbStore, FlippedBitIsRefusedOrHarmlessButNeverSilent) {
  const TempDir directory;
  {
    auto first = reopen(directory.path());
    for (std::uint64_t n = 1; n <= 60; n += 20) {
      Changes changes;
      for (std::uint64_t i = n; i < n + 20; ++i) {
        changes.accept(Job{.number = i, .body = std::string(100 + 97 * i, static_cast<char>('a' + i % 26))});
      }
      must_commit(*first.store, changes);
    }
  }
  const std::string path = data_file(directory);
  const lmdb::Pages pages = lmdb::Env::open(directory.path(), limits::GiB, limits::GiB).value()->pages();
  const std::string good = read_file(path).substr(0, pages.end * pages.size);
  std::mt19937_64 random(20261122);
  std::map<int, int> results;
  for (int i = 0; i < 150; ++i) {
    std::string bytes = good;
    const std::size_t at = random() % bytes.size();
    const unsigned bit = random() % 8;
    bytes[at] = static_cast<char>(bytes[at] ^ static_cast<char>(1U << bit));
    std::ofstream(path, std::ios::binary).write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    const pid_t child = ::fork();
    if (child == 0) {
      ::close(STDERR_FILENO);  // what LMDB says before it aborts
      ::alarm(20);
      ::_exit(open_damaged(directory.path()));
    }
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    const int result = WIFEXITED(status) ? WEXITSTATUS(status) : 100;
    ++results[result];
    EXPECT_NE(result, 1) << "byte " << at << " bit " << bit << " was not noticed";
  }
  EXPECT_GT(results[0], 0);
  for (const auto& [result, times] : results) RecordProperty("result_" + std::to_string(result), times);
}

}  // namespace
}  // namespace rota::store::test

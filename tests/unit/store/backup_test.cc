#include "broker/store/backup.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>

#include "broker/store/check.h"
#include "tests/conformance/store_driver.h"
#include "tests/unit/store/damage.h"

// A store is open once in a process: those that are copied while they are written to belong to a child.
namespace rota::store::test {
namespace {

using testing::HasSubstr;

const StoreOptions kSmall{.store_limit = 64 * limits::MiB};

void fill(const std::string& directory, std::uint64_t jobs) {
  const auto store = open_store(directory, kSmall);
  Loaded loaded;
  ASSERT_TRUE(store->load(loaded).ok());
  Changes changes;
  for (std::uint64_t n = 1; n <= jobs; ++n) changes.accept(Job{.number = n, .body = std::string(1000, 'b')});
  changes.finish(1);
  must_commit(*store, changes);
}

// Accepts and ends jobs until it is killed, and says after each commit how many jobs were ever accepted.
class Writer {
 public:
  explicit Writer(const std::string& directory) {
    int ends[2];
    EXPECT_EQ(::pipe2(ends, O_CLOEXEC), 0);
    child_ = ::fork();
    if (child_ == 0) run(directory, ends[1]);
    ::close(ends[1]);
    from_ = ends[0];
    accepted();
  }
  ~Writer() {
    ::kill(child_, SIGKILL);
    int status = 0;
    ::waitpid(child_, &status, 0);
    EXPECT_TRUE(WIFSIGNALED(status)) << "the writer ended by itself with " << WEXITSTATUS(status);
    ::close(from_);
  }
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;

  // The newest number it said: waits for one, and takes those that are there.
  std::uint64_t accepted() {
    std::uint64_t numbers[512];
    ssize_t size = 0;
    do {
      size = ::read(from_, numbers, sizeof numbers);
      EXPECT_GT(size, 0);
    } while (size == static_cast<ssize_t>(sizeof numbers));
    return size > 0 ? numbers[static_cast<std::size_t>(size) / sizeof numbers[0] - 1] : 0;
  }

 private:
  [[noreturn]] static void run(const std::string& directory, int to) {
    auto store = open_lmdb(directory, kSmall);
    if (!store) ::_exit(2);
    Loaded loaded;
    if (!(*store)->load(loaded)) ::_exit(3);
    std::uint64_t accepted = 0;
    for (std::uint64_t round = 0;; ++round) {
      Changes changes;
      for (std::uint64_t n = 1; n <= 5; ++n) changes.accept(Job{.number = accepted + n, .spec = std::string(200, 's')});
      for (std::uint64_t n = 1; n <= 4 && round > 0; ++n) changes.finish(5 * (round - 1) + n);
      if (!commit(**store, changes)) ::_exit(4);
      accepted += 5;
      if (::write(to, &accepted, sizeof accepted) != static_cast<ssize_t>(sizeof accepted)) ::_exit(5);
      if (round % 3 == 0 && !(*store)->maintain(kStart + Millis{static_cast<std::int64_t>(round) * 400})) ::_exit(6);
    }
  }

  pid_t child_ = -1;
  int from_ = -1;
};

TEST(Backup, CopyUnderConcurrentCommitsIsSoundAndHoldsEveryJobCommittedBefore) {
  const TempDir directory;
  Writer writer(directory.path());
  for (int round = 0; round < 10; ++round) {
    const TempDir parent;
    const std::string target = parent.path() + "/a/copy";
    const std::uint64_t before = writer.accepted();
    const auto copied = backup_lmdb(directory.path(), target);
    ASSERT_TRUE(copied.ok()) << copied.error().message;
    EXPECT_EQ(copied->bytes, std::filesystem::file_size(file_of(target)));
    const auto report = check_lmdb(target);
    ASSERT_TRUE(report.ok()) << report.error().message;
    EXPECT_TRUE(report->is_sound()) << testing::PrintToString(report->listed);
    const auto store = open_store(target, kSmall);
    Loaded loaded;
    const auto opened = store->load(loaded);
    ASSERT_TRUE(opened.ok()) << opened.error().message;
    EXPECT_GE(opened->next_sequence, before + 1);
    EXPECT_EQ(report->live_jobs, loaded.jobs.size());
    for (std::uint64_t n = 1; n <= before; ++n) {
      ASSERT_TRUE(loaded.jobs.contains(n) || finished(*store, n)) << n << " of " << before;
    }
  }
}

TEST(Backup, CopyHasNoFreeSpaceAndBelongsToItsOwnerOnly) {
  const TempDir directory;
  fill(directory.path(), 200);
  const std::string target = directory.path() + "/copy";
  ASSERT_TRUE(backup_lmdb(directory.path(), target).ok());
  EXPECT_LT(std::filesystem::file_size(file_of(target)), 2 * limits::MiB);
  EXPECT_GT(std::filesystem::file_size(file_of(directory.path())), 2 * limits::MiB);
  struct stat info {};
  ASSERT_EQ(::stat(target.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777U, 0700U);
  ASSERT_EQ(::stat(file_of(target).c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777U, 0600U);
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(target), {}), 1);
}

TEST(Backup, TargetThatHoldsAStoreIsRefusedUnchanged) {
  const TempDir directory, target;
  fill(directory.path(), 20);
  fill(target.path(), 3);
  const std::string before = read_bytes(file_of(target.path()));
  for (const std::string& path : {target.path(), directory.path()}) {
    const auto copied = backup_lmdb(directory.path(), path);
    ASSERT_FALSE(copied.ok());
    EXPECT_EQ(copied.error().code, Code::bad_message);
    EXPECT_THAT(copied.error().message, HasSubstr(path + " holds a store already"));
  }
  EXPECT_EQ(read_bytes(file_of(target.path())), before);
  EXPECT_FALSE(std::filesystem::exists(file_of(target.path()) + ".partial"));
}

TEST(Backup, TargetThatCannotBeWrittenIsForbidden) {
  const TempDir directory;
  fill(directory.path(), 20);
  const std::string file = directory.path() + "/file";
  write_bytes(file, "text");
  for (const std::string& path : {file, file + "/copy", std::string("/proc/none")}) {
    const auto copied = backup_lmdb(directory.path(), path);
    ASSERT_FALSE(copied.ok()) << path;
    EXPECT_EQ(copied.error().code, Code::forbidden) << copied.error().message;
    EXPECT_THAT(copied.error().message, HasSubstr("cannot write " + path));
  }
  EXPECT_EQ(read_bytes(file), "text");
}

// The limit of a file's size stands for a full disk: the same calls fail.
TEST(Backup, DiskThatIsTooSmallLeavesNothing) {
  const TempDir directory;
  fill(directory.path(), 500);
  const std::string target = directory.path() + "/copy";
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  const rlimit small{limits::MiB / 4, before.rlim_max};
  const auto ignored = ::signal(SIGXFSZ, SIG_IGN);
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  const auto copied = backup_lmdb(directory.path(), target);
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &before), 0);
  ::signal(SIGXFSZ, ignored);
  ASSERT_FALSE(copied.ok());
  EXPECT_EQ(copied.error().code, Code::store_full);
  EXPECT_THAT(copied.error().message, HasSubstr("cannot write " + target));
  EXPECT_FALSE(std::filesystem::exists(target));
  EXPECT_TRUE(backup_lmdb(directory.path(), target).ok());
}

TEST(Backup, RestOfAnInterruptedOneIsNoStoreAndIsOverwritten) {
  const TempDir directory, target;
  fill(directory.path(), 20);
  constexpr std::size_t kLongerThanTheCopy = 10'000'000;
  const std::string rest(kLongerThanTheCopy, 'x');  // NOLINT(bugprone-string-constructor)
  write_bytes(file_of(target.path()) + ".partial", rest);
  EXPECT_EQ(check_lmdb(target.path()).error().code, Code::not_found);
  ASSERT_TRUE(backup_lmdb(directory.path(), target.path()).ok());
  EXPECT_FALSE(std::filesystem::exists(file_of(target.path()) + ".partial"));
  EXPECT_TRUE(check_lmdb(target.path())->is_sound());
}

TEST(Backup, SecondBackupIntoOneDirectoryIsRefusedForNow) {
  const TempDir directory, target;
  fill(directory.path(), 20);
  const std::string partial = file_of(target.path()) + ".partial";
  const int first = ::open(partial.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  ASSERT_EQ(::flock(first, LOCK_EX | LOCK_NB), 0);
  EXPECT_EQ(backup_lmdb(directory.path(), target.path()).error().code, Code::retry_later);
  EXPECT_TRUE(std::filesystem::exists(partial));
  ::close(first);
  EXPECT_TRUE(backup_lmdb(directory.path(), target.path()).ok());
}

// Copies the damaged store: it says so and leaves nothing, or the copy was made. True: it said so.
bool is_told_damaged(const std::string& directory) {
  const TempDir parent;
  const std::string target = parent.path() + "/copy";
  const auto copied = backup_lmdb(directory, target);
  EXPECT_TRUE(copied.ok()) << copied.error().message;
  if (!copied || copied->damage.empty()) return false;
  EXPECT_THAT(copied->damage, HasSubstr(directory + " cannot be copied, it is damaged"));
  EXPECT_FALSE(std::filesystem::exists(target));
  return true;
}

TEST(Backup, CutStoreIsToldDamagedBeforeAnythingIsCopied) {
  const TempDir directory;
  fill(directory.path(), 200);
  for (const std::uint64_t pages : {1U, 2U, 5U, 20U}) {
    std::filesystem::resize_file(file_of(directory.path()), pages * 4096);
    EXPECT_TRUE(is_told_damaged(directory.path())) << pages;
  }
}

TEST(Backup, OverwrittenPageNeverCrashesIt) {
  const TempDir directory;
  fill(directory.path(), 20);
  const std::string good = read_bytes(file_of(directory.path()));
  int told = 0;
  for (std::size_t page = 0; page < 30; ++page) {
    std::string bytes = good;
    for (std::size_t i = 0; i < 4096; ++i) bytes[page * 4096 + i] = static_cast<char>(0xFF - i % 7);
    write_bytes(file_of(directory.path()), bytes);
    if (is_told_damaged(directory.path())) ++told;
  }
  EXPECT_GT(told, 3);
}

// A branch in place of its own leaves leads round in circles.
TEST(Backup, PagesThatNameEachOtherEndTheCopy) {
  const TempDir directory;
  fill(directory.path(), 300);
  const std::string good = read_bytes(file_of(directory.path()));
  const auto flags = [&](std::size_t page) { return static_cast<unsigned char>(good[page * 4096 + 10]); };
  int told = 0;
  for (std::size_t branch = 2; branch < 120; ++branch) {
    if (flags(branch) != 1) continue;
    for (const std::size_t over : {std::size_t{20}, std::size_t{40}, std::size_t{60}, std::size_t{80}}) {
      if (over == branch || flags(over) != 2) continue;
      std::string bytes = good;
      bytes.replace(over * 4096, 4096, good, branch * 4096, 4096);
      write_bytes(file_of(directory.path()), bytes);
      if (is_told_damaged(directory.path())) ++told;
    }
  }
  EXPECT_GT(told, 0);
}

// The leaf that names a large body in place of all others: copied for each of them, it would fill the disk.
TEST(Backup, CopyDoesNotBecomeMuchLongerThanTheStore) {
  const TempDir directory;
  {
    const auto store = open_store(directory.path(), kSmall);
    Loaded loaded;
    ASSERT_TRUE(store->load(loaded).ok());
    Changes changes;
    changes.accept(Job{.number = 1, .body = std::string(8 * limits::MiB, 'b')});
    for (std::uint64_t n = 2; n <= 200; ++n) changes.accept(Job{.number = n, .body = std::string(1000, 'b')});
    must_commit(*store, changes);
  }
  std::string bytes = read_bytes(file_of(directory.path()));
  const auto number = [&](std::size_t at) {
    return static_cast<unsigned char>(bytes[at]) + 256U * static_cast<unsigned char>(bytes[at + 1]);
  };
  std::vector<std::size_t> leaves;
  std::string large;
  for (std::size_t at = 2UL * 4096; at + 4096 <= bytes.size(); at += 4096) {
    if (number(at + 10) != 2 || number(at + 12) < 18 || number(at + 16) > 4088) continue;
    leaves.push_back(at);
    if (number(at + number(at + 16) + 4) == 1) large = bytes.substr(at, 4096);
  }
  ASSERT_FALSE(large.empty());
  ASSERT_GT(leaves.size(), 40U);
  for (const std::size_t at : leaves) {
    if (number(at + number(at + 16) + 6) == 8) bytes.replace(at, 4096, large);  // keys of eight bytes: bodies, mostly
  }
  write_bytes(file_of(directory.path()), bytes);
  const TempDir target;
  const auto copied = backup_lmdb(directory.path(), target.path());
  ASSERT_TRUE(copied.ok()) << copied.error().message;
  EXPECT_THAT(copied->damage, HasSubstr("its pages name each other again and again"));
  EXPECT_TRUE(std::filesystem::is_empty(target.path()));
}

TEST(Backup, SignalThatEndsItLeavesNothing) {
  const TempDir directory;
  fill(directory.path(), 20);
  const std::string target = directory.path() + "/copy";
  const pid_t child = ::fork();
  if (child == 0) {
    sigset_t held;
    sigemptyset(&held);
    sigaddset(&held, SIGTERM);
    ::sigprocmask(SIG_BLOCK, &held, nullptr);
    (void)::raise(SIGTERM);
    (void)backup_lmdb(directory.path(), target);
    ::_exit(0);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM) << status;
  EXPECT_FALSE(std::filesystem::exists(target));
}

TEST(Backup, DirectoryWithoutAStoreIsNotFound) {
  const TempDir directory;
  const auto copied = backup_lmdb(directory.path(), directory.path() + "/copy");
  ASSERT_FALSE(copied.ok());
  EXPECT_EQ(copied.error().code, Code::not_found);
  EXPECT_TRUE(std::filesystem::is_empty(directory.path()));
}

// A reader keeps the pages that it sees from being used again, also when it was killed.
TEST(Backup, KilledOneDoesNotHoldSpaceForEver) {
  const TempDir directory;
  fill(directory.path(), 20);
  auto store = open_store(directory.path(), kSmall);
  Loaded loaded;
  ASSERT_TRUE(store->load(loaded).ok());
  // A process of its own, without the store that this one has open.
  int ready[2];
  ASSERT_EQ(::pipe2(ready, O_CLOEXEC), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    const auto env = lmdb::Env::open_to_read(directory.path(), false);
    if (!env) ::_exit(2);
    const auto txn = (*env)->begin_read();
    if (!txn || ::write(ready[1], "r", 1) != 1) ::_exit(3);
    for (;;) ::pause();
  }
  ::close(ready[1]);
  char byte = 0;
  ASSERT_EQ(::read(ready[0], &byte, 1), 1);
  ::close(ready[0]);
  ::kill(child, SIGKILL);
  ASSERT_EQ(::waitpid(child, nullptr, 0), child);
  for (int i = 0; i < 400; ++i) {
    must_commit(*store, Changes().pause("images", i % 2 == 0));
    ASSERT_TRUE(store->maintain(kStart + Millis{i * 200}).ok());
  }
  store.reset();
  const auto env = lmdb::Env::open(directory.path(), limits::GiB, limits::GiB);
  EXPECT_LT((*env)->pages().end, 300U);  // of at least three a commit, if none were used again
}

}  // namespace
}  // namespace rota::store::test

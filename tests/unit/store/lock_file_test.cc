#include <gmock/gmock.h>

#include <cstring>
#include <filesystem>

#include "broker/store/check.h"
#include "broker/store/page_layout.h"
#include "tests/conformance/store_driver.h"
#include "tests/unit/store/damage.h"

// What lock.mdb tells of a data.mdb that is not the one it was.
namespace rota::store::test {
namespace {

using testing::Contains;
using testing::HasSubstr;

const StoreOptions kSmall{.store_limit = 16 * limits::MiB};

// Commits a job more; the file's two first pages.
std::string commit_one(const std::string& directory, std::uint64_t number) {
  const auto store = open_store(directory, kSmall);
  Loaded loaded;
  EXPECT_TRUE(store->load(loaded).ok());
  must_commit(*store, Changes().accept(Job{.number = number}));
  const std::string before = read_bytes(file_of(directory)).substr(0, 8192);
  must_commit(*store, Changes().accept(Job{.number = number + 1}));
  return before;
}

TEST(LockFile, StoreWhoseFileIsGoneIsNotBegunAnew) {
  const TempDir directory;
  (void)commit_one(directory.path(), 1);
  for (const bool is_empty : {false, true}) {
    std::filesystem::remove(file_of(directory.path()));
    if (is_empty) write_bytes(file_of(directory.path()), "");
    const auto opened = open_lmdb(directory.path(), kSmall);
    ASSERT_FALSE(opened.ok()) << is_empty;
    EXPECT_EQ(opened.error().code, Code::internal);
    EXPECT_THAT(opened.error().message, HasSubstr("held a store, but its data.mdb is gone; restore it from a backup"));
  }
  std::filesystem::remove(directory.path() + "/lock.mdb");
  EXPECT_FALSE(open_lmdb(directory.path(), kSmall).ok());  // the empty file tells by itself
  std::filesystem::remove(file_of(directory.path()));
  EXPECT_TRUE(open_lmdb(directory.path(), kSmall).ok());
}

TEST(LockFile, RootPageAsItWasACommitAgoIsNoticed) {
  const TempDir directory;
  const std::string before = commit_one(directory.path(), 1);
  std::string bytes = read_bytes(file_of(directory.path()));
  const auto txn = [](const std::string& pages, std::size_t page) {
    return lmdb::read_at<std::uint64_t>(pages, page * 4096 + 144);
  };
  const std::size_t last = txn(bytes, 0) > txn(bytes, 1) ? 0 : 1;
  bytes.replace(last * 4096, 4096, before, last * 4096, 4096);
  write_bytes(file_of(directory.path()), bytes);
  const auto report = check_lmdb(directory.path());
  ASSERT_TRUE(report.ok());
  EXPECT_THAT(report->listed, Contains(HasSubstr("data.mdb lacks the last commit")));
  const auto opened = open_lmdb(directory.path(), kSmall);
  ASSERT_FALSE(opened.ok());
  EXPECT_THAT(opened.error().message, HasSubstr("data.mdb lacks the last commit"));
}

TEST(LockFile, FileOfAnotherMomentOrDamagedSaysNothing) {
  const TempDir directory;
  (void)commit_one(directory.path(), 1);
  const std::string early = read_bytes(file_of(directory.path()));
  for (std::uint64_t n = 3; n < 9; n += 2) (void)commit_one(directory.path(), n);
  // A copy that was restored.
  const std::string lock = directory.path() + "/lock.mdb";
  write_bytes(file_of(directory.path()), early);
  EXPECT_TRUE(open_lmdb(directory.path(), kSmall).ok());
  for (const std::string& noise : {std::string(), std::string(10, 'x'), std::string(8192, 'x')}) {
    write_bytes(lock, noise);
    EXPECT_TRUE(open_lmdb(directory.path(), kSmall).ok()) << noise.size();
  }
}

}  // namespace
}  // namespace rota::store::test

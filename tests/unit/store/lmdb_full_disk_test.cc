#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "broker/store/file_space.h"
#include "tests/unit/store/small_disk.h"

// A store that may not grow: by its limit, or because the disk is full.
namespace rota::store::test {
namespace {

std::unique_ptr<Store> open_loaded(const std::string& directory, const StoreOptions& options) {
  auto store = open_store(directory, options);
  Loaded loaded;
  const auto opened = store->load(loaded);
  EXPECT_TRUE(opened.ok()) << opened.error().message;
  return store;
}

// Accepts jobs as long as the store takes them, in batches; how many.
std::uint64_t fill(Store& store, std::uint64_t first) {
  std::uint64_t number = first;
  while (store.usage().accepts_submits && number < first + 1'000'000) {
    Changes changes;
    for (int i = 0; i < 20; ++i) changes.accept(Job{.number = number++, .body = std::string(3000, 'b')});
    must_commit(store, changes);
    EXPECT_TRUE(store.maintain(kStart).ok());
  }
  return number - first;
}

// Leases, ends and files every job, with results; nothing of that may fail.
void drain(Store& store, std::uint64_t first, std::uint64_t jobs) {
  for (std::uint64_t n = first; n < first + jobs; n += 20) {
    Changes leases;
    for (std::uint64_t i = n; i < n + 20; ++i) leases.lease(i, i);
    must_commit(store, leases);
    Changes ends;
    for (std::uint64_t i = n; i < n + 20; ++i) ends.finish(i, i, std::string(500, 'r'), kStart + Millis{60'000});
    must_commit(store, ends);
    EXPECT_TRUE(store.maintain(kStart + Millis{static_cast<std::int64_t>(n)}).ok());
  }
}

TEST(FileSpace, ReserveIsAShareOfWhatIsUsedWithinBounds) {
  using lmdb::FileSpace;
  EXPECT_EQ(FileSpace::reserve(0, 64 * limits::GiB), limits::kMinReserve);
  EXPECT_EQ(FileSpace::reserve(20 * limits::GiB, 64 * limits::GiB), limits::GiB);
  EXPECT_EQ(FileSpace::reserve(0, 40 * limits::MiB), 10 * limits::MiB);
  EXPECT_EQ(FileSpace::step(64 * limits::GiB), limits::kAllocationStep);
  EXPECT_EQ(FileSpace::step(32 * limits::MiB), 2 * limits::MiB);
}

TEST(LmdbStore, SpaceIsAllocatedAheadAndTheFileStaysReadable) {
  const TempDir directory;
  {
    const auto store = open_loaded(directory.path(), {});
    EXPECT_GE(store->usage().file_bytes, limits::kMinReserve + limits::kAllocationStep);
    EXPECT_LT(store->usage().used_bytes, limits::MiB);
    must_commit(*store, Changes().accept(Job{}));
  }
  EXPECT_GE(std::filesystem::file_size(directory.path() + "/data.mdb"), limits::kMinReserve + limits::kAllocationStep);
  const auto store = open_store(directory.path());
  Loaded loaded;
  ASSERT_TRUE(store->load(loaded).ok());
  EXPECT_EQ(loaded.jobs.size(), 1U);
}

TEST(LmdbStore, StoreLimitRefusesSubmitsWhileTheRestGoesOnAndReturns) {
  const TempDir directory;
  StoreOptions options;
  options.store_limit = 24 * limits::MiB;
  const auto store = open_loaded(directory.path(), options);
  const std::uint64_t jobs = fill(*store, 1);
  EXPECT_GT(jobs, 500U);
  const Usage full = store->usage();
  EXPECT_FALSE(full.accepts_submits);
  EXPECT_THAT(full.why_not, testing::HasSubstr("--store-limit"));
  EXPECT_LE(full.file_bytes, options.store_limit);
  drain(*store, 1, jobs);
  maintain_after_pause(*store, kStart + Millis{100'000});
  ASSERT_TRUE(store->maintain(kStart + Millis{101'000}).ok());
  EXPECT_TRUE(store->usage().accepts_submits) << store->usage().why_not;
  EXPECT_GT(fill(*store, jobs + 1), 300U);
  EXPECT_LE(std::filesystem::file_size(directory.path() + "/data.mdb"), options.store_limit);
}

TEST(LmdbStore, RoomForNewJobsShrinksToNothingAndComesBack) {
  const TempDir directory;
  StoreOptions options;
  options.store_limit = 24 * limits::MiB;
  const auto store = open_loaded(directory.path(), options);
  const Usage empty = store->usage();
  EXPECT_EQ(empty.limit_bytes, options.store_limit);
  EXPECT_GT(empty.disk_free_bytes, 0U);
  EXPECT_GT(empty.reserve_bytes, 0U);
  EXPECT_GT(empty.free_bytes, options.store_limit / 2);
  EXPECT_LE(empty.free_bytes + empty.reserve_bytes, options.store_limit);
  const std::uint64_t jobs = fill(*store, 1);
  EXPECT_EQ(store->usage().free_bytes, 0U);
  drain(*store, 1, jobs);
  maintain_after_pause(*store, kStart + Millis{100'000});
  ASSERT_TRUE(store->maintain(kStart + Millis{101'000}).ok());
  EXPECT_GT(store->usage().free_bytes, limits::MiB);
}

TEST(LmdbStore, BytesOnTheirWayCountAgainstTheFreeSpace) {
  const TempDir directory;
  StoreOptions options;
  options.store_limit = 16 * limits::MiB;
  const auto store = open_loaded(directory.path(), options);
  auto batch = store->new_batch();
  Changes changes;
  changes.accept(Job{.number = 1, .body = std::string(12 * limits::MiB, 'b')});
  EXPECT_TRUE(store->usage().accepts_submits);
  batch->stage(changes.all().front());
  EXPECT_FALSE(store->usage().accepts_submits);
  EXPECT_FALSE(store->usage().grows);
  batch.reset();
  EXPECT_TRUE(store->usage().accepts_submits);
}

TEST(LmdbStore, FileThatMayStillBecomeLongerIsNoFullStore) {
  const TempDir directory;
  StoreOptions options;
  options.store_limit = 256 * limits::MiB;
  const auto store = open_loaded(directory.path(), options);
  auto batch = store->new_batch();
  std::uint64_t number = 1;
  while (store->usage().accepts_submits && number < 256) {
    Changes changes;
    changes.accept(Job{.number = number++, .body = std::string(limits::MiB, 'b')});
    batch->stage(changes.all().front());
  }
  EXPECT_LT(number, 64U);
  EXPECT_TRUE(store->usage().grows);
  EXPECT_THAT(store->usage().why_not, testing::HasSubstr("the disk does not keep up"));
  ASSERT_TRUE(store->commit(*batch).ok());
  batch.reset();
  ASSERT_TRUE(store->maintain(kStart).ok());
  EXPECT_TRUE(store->usage().accepts_submits) << store->usage().why_not;
}

class FullDisk : public SmallDisk {
 protected:
  FullDisk() : SmallDisk("24m") {}
};

TEST_F(FullDisk, RefusesSubmitsServesTheRestAndTakesThemAgainWhenSpaceReturns) {
  // Somebody else fills the disk.
  const int other = ::open(ballast().c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0600);
  ASSERT_EQ(::posix_fallocate(other, 0, 8 * limits::MiB), 0);
  ::close(other);
  StoreOptions options;
  options.store_limit = 20 * limits::MiB;  // 5 MiB in reserve
  const auto store = open_loaded(directory_.path() + "/data", options);
  const std::uint64_t jobs = fill(*store, 1);
  EXPECT_GT(jobs, 200U);
  EXPECT_FALSE(store->usage().accepts_submits);
  EXPECT_THAT(store->usage().why_not, testing::HasSubstr("No space left on device"));
  drain(*store, 1, jobs);
  std::filesystem::remove(ballast());
  ASSERT_TRUE(store->maintain(kStart).ok());
  EXPECT_TRUE(store->usage().accepts_submits) << store->usage().why_not;
}

TEST_F(FullDisk, DiskWithoutRoomForTheReserveTakesNoSubmits) {
  const int other = ::open(ballast().c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0600);
  ASSERT_EQ(::posix_fallocate(other, 0, 22 * limits::MiB), 0);
  ::close(other);
  const auto store = open_loaded(directory_.path() + "/data", {});
  EXPECT_FALSE(store->usage().accepts_submits);
  EXPECT_THAT(store->usage().why_not, testing::HasSubstr("No space left on device"));
}

}  // namespace
}  // namespace rota::store::test

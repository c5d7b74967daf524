#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "broker/store/full_disk.h"
#include "broker/store/lmdb_env.h"
#include "tests/unit/store/small_disk.h"

// A disk on which nothing is left at all.
namespace rota::store::test {
namespace {

class NoRoom : public SmallDisk {
 protected:
  NoRoom() : SmallDisk("4m") {}
};

// Takes all that is left.
void take_the_rest(const std::string& path) {
  const int other = ::open(path.c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0600);
  const std::string bytes(4096, 'x');
  while (::write(other, bytes.data(), bytes.size()) > 0) {
  }
  ::close(other);
}

TEST_F(NoRoom, FirstStartWithoutAnyRoomIsToldSo) {
  for (const std::uint64_t pages : {0U, 1U, 2U, 4U, 6U, 8U, 12U}) {
    take_the_rest(ballast());
    std::filesystem::resize_file(ballast(), std::filesystem::file_size(ballast()) - pages * 4096);
    const auto opened = open_lmdb(directory_.path() + "/data", {});
    EXPECT_TRUE(!opened.ok() || pages >= 6) << pages;
    if (!opened) {
      EXPECT_EQ(opened.error().code, Code::store_full) << opened.error().message;
      EXPECT_THAT(opened.error().message, testing::HasSubstr("the disk is full"));
      EXPECT_THAT(opened.error().message, testing::HasSubstr("make room"));
    }
    std::filesystem::remove(ballast());
    EXPECT_TRUE(opened.ok() || open_lmdb(directory_.path() + "/data", {}).ok()) << pages;
    std::filesystem::remove_all(directory_.path() + "/data");
  }
}

TEST_F(NoRoom, WriteThatWasCutShortNamesTheFullDisk) {
  const Error good = lmdb::failure(directory_.path(), "sync a commit", EIO);
  EXPECT_EQ(good.code, Code::internal);
  EXPECT_THAT(good.message, testing::Not(testing::HasSubstr("full")));
  take_the_rest(ballast());
  const Error full = lmdb::failure(directory_.path(), "sync a commit", EIO);
  EXPECT_EQ(full.code, Code::store_full);
  EXPECT_THAT(full.message, testing::HasSubstr("cannot sync a commit: the disk is full"));
}

TEST(Quota, IsUsedUpAtItsHardLimitAndAtTheSoftOneWhenItsGraceIsOver) {
  constexpr std::uint64_t kNow = 1'800'000'000;
  EXPECT_FALSE(is_used_up({.used = 100}, 10, kNow));
  EXPECT_FALSE(is_used_up({.used = 90, .hard = 100}, 10, kNow));
  EXPECT_TRUE(is_used_up({.used = 91, .hard = 100}, 10, kNow));
  EXPECT_TRUE(is_used_up({.used = 120, .hard = 100}, 10, kNow));
  EXPECT_FALSE(is_used_up({.used = 60, .soft = 50, .soft_ends = kNow + 1}, 10, kNow));
  EXPECT_TRUE(is_used_up({.used = 60, .soft = 50, .soft_ends = kNow}, 10, kNow));
  EXPECT_FALSE(is_used_up({.used = 49, .soft = 50, .soft_ends = kNow}, 10, kNow));
  EXPECT_FALSE(is_used_up({.used = 60, .soft = 50}, 10, kNow));
}

TEST(Quota, ThatIsToldByNameIsAFullDisk) {
  const TempDir directory;
  EXPECT_EQ(lmdb::failure(directory.path(), "sync a commit", EDQUOT).code, Code::store_full);
  // Without a quota that is used up, the same cut-short write is a fault of the disk.
  EXPECT_EQ(lmdb::failure(directory.path(), "sync a commit", EIO).code, Code::internal);
}

}  // namespace
}  // namespace rota::store::test

#include "broker/store/new_store.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <fstream>
#include <string>

#include "broker/store/lmdb_env.h"
#include "broker/store/lmdb_meta.h"
#include "broker/store/meta_pages.h"
#include "broker/store/replaced_head.h"
#include "common/base/limits.h"
#include "tests/conformance/store_driver.h"

// What a crash or a failing disk leaves of a store's first pages.
namespace rota::store::lmdb {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kMap = limits::GiB;

void expect_store(const std::string& directory) {
  EXPECT_TRUE(check_meta_pages(directory).ok());
  const auto env = Env::open(directory, kMap, kMap);
  ASSERT_TRUE(env.ok()) << env.error().message;
  const auto txn = (*env)->begin_read();
  ASSERT_TRUE(txn.ok());
  EXPECT_EQ((*env)->named_tables(*txn), kTableCount);
}

std::string broker_id(const std::string& directory) {
  const auto env = Env::open(directory, kMap, kMap);
  EXPECT_TRUE(prepare_tables(**env).ok());
  const auto txn = (*env)->begin_read();
  return to_string(*read_broker_id(**env, *txn));
}

TEST(NewStore, IsWholeWhenItHasItsName) {
  const test::TempDir directory;
  ASSERT_TRUE(make_store(directory.path(), kMap, kMap).ok());
  expect_store(directory.path());
  EXPECT_FALSE(fs::exists(directory.path() + "/new"));
}

TEST(NewStore, OneThatIsThereStaysAsItIs) {
  const test::TempDir directory;
  ASSERT_TRUE(make_store(directory.path(), kMap, kMap).ok());
  const std::string id = broker_id(directory.path());
  ASSERT_TRUE(make_store(directory.path(), kMap, kMap).ok());
  EXPECT_EQ(broker_id(directory.path()), id);
}

TEST(NewStore, HalfOfOneIsMadeAnew) {
  const test::TempDir directory;
  const std::string young = directory.path() + "/new";
  ASSERT_TRUE(fs::create_directory(young));
  std::ofstream(young + "/data.mdb") << std::string(5000, '\0');
  ASSERT_TRUE(make_store(directory.path(), kMap, kMap).ok());
  expect_store(directory.path());
  EXPECT_FALSE(fs::exists(young));
}

TEST(NewStore, EmptyFileIsRefused) {
  const test::TempDir directory;
  std::ofstream(directory.path() + "/data.mdb").close();
  const Status made = make_store(directory.path(), kMap, kMap);
  ASSERT_FALSE(made.ok());
  EXPECT_EQ(made.error().code, Code::internal);
  EXPECT_EQ(made.error().message, directory.path() + " is damaged (data.mdb is empty); restore the store from a backup");
}

TEST(NewStore, DamageIsNotReplaced) {
  const test::TempDir directory;
  const std::string file = directory.path() + "/data.mdb";
  std::ofstream(file) << std::string(8192, '\0');
  ASSERT_TRUE(make_store(directory.path(), kMap, kMap).ok());
  EXPECT_EQ(fs::file_size(file), 8192U);
  EXPECT_FALSE(check_meta_pages(directory.path()).ok());
}

TEST(ReplacedHead, IsPutBackAsItWas) {
  const test::TempDir directory;
  ASSERT_TRUE(make_store(directory.path(), kMap, kMap).ok());
  const auto env = Env::open(directory.path(), kMap, kMap);
  ASSERT_TRUE(env.ok());
  std::array<char, 8192> before{};
  ASSERT_EQ(::pread((*env)->fd(), before.data(), before.size(), 0), 8192);
  auto txn = (*env)->begin_write();
  ASSERT_TRUE(txn.ok());
  const auto page = static_cast<off_t>(::mdb_txn_id(txn->get()) % 2 * 4096);
  const ReplacedHead head(txn->get());
  txn->abort();
  // As LMDB leaves it: other roots.
  ASSERT_EQ(::pwrite((*env)->fd(), "other roots", 11, page + 100), 11);
  head.put_back();
  std::array<char, 8192> after{};
  ASSERT_EQ(::pread((*env)->fd(), after.data(), after.size(), 0), 8192);
  EXPECT_EQ(before, after);
}

}  // namespace
}  // namespace rota::store::lmdb

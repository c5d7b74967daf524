#include "broker/store/page_walk.h"

#include <gmock/gmock.h>

#include <cstring>
#include <random>

#include "broker/store/page_layout.h"
#include "tests/conformance/store_driver.h"
#include "tests/unit/store/damage.h"

namespace rota::store::test {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr std::size_t kPageSize = 4096;
constexpr std::size_t kMost = 20;
const StoreOptions kSmall{.store_limit = 16 * limits::MiB};

std::vector<std::string> walked(const std::string& bytes) {
  const lmdb::ReadFile read = [&](std::uint64_t offset, std::span<char> into) {
    if (offset > bytes.size() || into.size() > bytes.size() - offset) return false;
    std::memcpy(into.data(), bytes.data() + offset, into.size());
    return true;
  };
  return lmdb::walk_pages(read, bytes.size(), kPageSize, kMost);
}

template <typename T>
void write_at(std::string& bytes, std::size_t at, T value) {
  std::memcpy(bytes.data() + at, &value, sizeof value);
}

lmdb::MetaHeader meta(const std::string& bytes, std::size_t page) {
  return lmdb::MetaHeader(std::string_view(bytes).substr(page * kPageSize, lmdb::kMetaSize));
}
std::size_t younger(const std::string& bytes) { return meta(bytes, 0).txn > meta(bytes, 1).txn ? 0 : 1; }

// A store with trees of two levels, large values and free pages; its file up to the last page.
class PageWalk : public testing::Test {
 protected:
  void SetUp() override {
    {
      const auto store = open_store(directory_.path(), kSmall);
      Loaded loaded;
      ASSERT_TRUE(store->load(loaded).ok());
      for (std::uint64_t n = 1; n <= 300; ++n) {
        must_commit(*store, Changes().accept(Job{.number = n, .body = std::string(n % 20 == 0 ? 9000 : 300, 'b')}));
        if (n % 4 == 0) must_commit(*store, Changes().finish(n));
      }
      maintain_all(*store, kStart);
    }
    good_ = read_bytes(file_of(directory_.path()));
    good_.resize((meta(good_, younger(good_)).last_page + 1) * kPageSize);
  }
  // The first page of that kind which is in use: LMDB numbers only those that it wrote.
  [[nodiscard]] std::size_t page_of(std::uint16_t flags) const {
    const std::string_view bytes = good_;
    for (std::size_t page = 2; page < good_.size() / kPageSize; ++page) {
      std::string damaged = good_;
      if (lmdb::PageHeader(bytes.substr(page * kPageSize, lmdb::kPageHeader)).flags != flags) continue;
      write_at<std::uint64_t>(damaged, page * kPageSize, 7'777'777);
      if (!walked(damaged).empty()) return page;
    }
    ADD_FAILURE() << "no page of kind " << flags;
    return 0;
  }
  // What is found after `value` was written at `at` of that page.
  template <typename T>
  [[nodiscard]] std::vector<std::string> found(std::size_t page, std::size_t at, T value) const {
    std::string damaged = good_;
    write_at(damaged, page * kPageSize + at, value);
    return walked(damaged);
  }

  TempDir directory_;
  std::string good_;
};

TEST_F(PageWalk, SoundFileHasNothingWrong) {
  EXPECT_THAT(walked(good_), IsEmpty());
  EXPECT_NE(page_of(lmdb::kBranchPage), 0U);
  EXPECT_NE(page_of(lmdb::kOverflowPage), 0U);
}

TEST_F(PageWalk, EveryFieldOfAPageHeaderIsChecked) {
  for (const std::uint16_t kind : {lmdb::kBranchPage, lmdb::kLeafPage, lmdb::kOverflowPage}) {
    const std::size_t page = page_of(kind);
    EXPECT_THAT(found<std::uint64_t>(page, 0, 3), Contains(HasSubstr("it bears another number")));
    EXPECT_THAT(found<std::uint16_t>(page, 10, 8), Contains(HasSubstr("it is of another kind")));
    EXPECT_THAT(found<std::uint16_t>(page, 10, kind ^ 0x10), Contains(HasSubstr("it is of another kind")));
  }
  const std::size_t leaf = page_of(lmdb::kLeafPage);
  EXPECT_THAT(found<std::uint16_t>(leaf, 12, 15), Contains(HasSubstr("its bounds are wrong")));
  EXPECT_THAT(found<std::uint16_t>(leaf, 12, 16), Contains(HasSubstr("it has too few records")));
  EXPECT_THAT(found<std::uint16_t>(leaf, 14, 4098), Contains(HasSubstr("its bounds are wrong")));
  EXPECT_THAT(found<std::uint16_t>(leaf, 14, 400), Contains(HasSubstr("its records overlap")));
  EXPECT_THAT(found<std::uint16_t>(leaf, 16, 4094), Contains(HasSubstr("a record does not fit it")));
  // Fewer pages than the value has, and more: the next ones are somebody else's.
  const std::size_t large = page_of(lmdb::kOverflowPage);
  EXPECT_THAT(found<std::uint32_t>(large, 12, 1), Contains(HasSubstr("it is of another kind")));
  EXPECT_THAT(found<std::uint32_t>(large, 12, 9), testing::Not(IsEmpty()));
}

// LMDB would look for the keys between the old and the new one on the wrong page, and not find them.
TEST_F(PageWalk, RaisedSeparatorIsFound) {
  const std::size_t page = page_of(lmdb::kBranchPage);
  const auto place = lmdb::read_at<std::uint16_t>(good_, page * kPageSize + lmdb::kPageHeader + 2);
  const std::size_t key = page * kPageSize + place + lmdb::kNodeHeader;
  std::string damaged = good_;
  damaged[key + 7] = static_cast<char>(damaged[key + 7] + 1);
  EXPECT_THAT(walked(damaged), Contains(HasSubstr("its keys are out of order")));
}

TEST_F(PageWalk, EveryBitOfTheYoungerRootThatMattersIsChecked) {
  const std::size_t page = younger(good_);
  // Flags, depth and counts of both trees, their roots, the last page.
  for (std::size_t at = 44; at < 144; ++at) {
    if (at >= 88 && at < 92) continue;  // unused
    for (unsigned bit = 0; bit < 8; ++bit) {
      const auto value = static_cast<std::uint8_t>(static_cast<std::uint8_t>(good_[page * kPageSize + at]) ^ (1U << bit));
      EXPECT_FALSE(found(page, at, value).empty()) << "byte " << at << " bit " << bit;
    }
  }
}

// The numbers alone cannot tell that: six becomes four, and five is the youngest.
TEST_F(PageWalk, YoungerRootThatSaysItIsTheOlderOneIsFound) {
  const std::size_t page = younger(good_);
  EXPECT_THAT(found<std::uint64_t>(page, 144, meta(good_, page).txn - 2),
              ElementsAre("data.mdb has lost a commit: its first pages do not follow each other"));
}

TEST_F(PageWalk, CutFileIsFound) {
  EXPECT_THAT(walked(good_.substr(0, good_.size() - 1)), ElementsAre(HasSubstr("data.mdb was cut: it has")));
  EXPECT_THAT(walked(good_.substr(0, kPageSize)), ElementsAre(HasSubstr("first pages")));
  EXPECT_THAT(walked(""), ElementsAre(HasSubstr("first pages")));
}

TEST_F(PageWalk, GivesNoMoreThanItIsAskedFor) {
  std::string damaged = good_;
  for (std::size_t page = 2; page < damaged.size() / kPageSize; ++page)
    write_at<std::uint64_t>(damaged, page * kPageSize, 1);
  EXPECT_THAT(walked(damaged), testing::SizeIs(testing::Le(kMost)));
  EXPECT_THAT(walked(damaged), testing::SizeIs(testing::Ge(1U)));
}

// Whatever it holds, the walk ends, and what it passes as sound opens.
TEST_F(PageWalk, AnyDamageIsSurvived) {
  std::mt19937_64 random(20261123);
  int found = 0;
  for (int round = 0; round < 3000; ++round) {
    std::string damaged = good_;
    for (std::uint64_t edits = random() % 4; edits < 4; ++edits) {
      const std::size_t page = random() % (damaged.size() / kPageSize);
      const std::size_t within = round % 2 == 0 ? random() % 64 : random() % kPageSize;
      damaged[page * kPageSize + within] = static_cast<char>(random());
    }
    if (!walked(damaged).empty()) ++found;
  }
  EXPECT_GT(found, 300);
}

TEST_F(PageWalk, BrokerDoesNotStartOnADamagedPage) {
  std::string damaged = good_;
  write_at<std::uint16_t>(damaged, page_of(lmdb::kLeafPage) * kPageSize + 10, 1);
  write_bytes(file_of(directory_.path()), damaged);
  const auto opened = open_lmdb(directory_.path(), kSmall);
  ASSERT_FALSE(opened.ok());
  EXPECT_EQ(opened.error().code, Code::internal);
  EXPECT_THAT(opened.error().message, HasSubstr(directory_.path() + " is damaged (page "));
  EXPECT_THAT(opened.error().message, HasSubstr("; restore the store from a backup"));
}

}  // namespace
}  // namespace rota::store::test

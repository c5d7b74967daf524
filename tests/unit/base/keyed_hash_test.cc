#include "common/base/keyed_hash.h"

#include <gtest/gtest.h>

#include <functional>
#include <set>
#include <string_view>

#include "common/base/uuid.h"

namespace rota {
namespace {

// Anyone can make these: the library's hash has no secret.
TEST(KeyedHash, NamesThatFallOnOnePlaceElsewhereDoNotHere) {
  constexpr std::string_view kNames[] = {"billing.invoices", "furdejilc6z13d2m", "zwsnqjvhnjrrj425", "tgqvabxlpzs.3cc0"};
  std::set<std::uint64_t> found;
  for (const std::string_view name : kNames) {
#ifdef __GLIBCXX__
    EXPECT_EQ(std::hash<std::string_view>{}(name), std::hash<std::string_view>{}(kNames[0])) << "the names prove nothing";
#endif
    found.insert(keyed_hash(name) >> 40U);
  }
  EXPECT_GT(found.size(), 1U);
}

TEST(KeyedHash, IdsThatShareOneHalfAreSpread) {
  for (const bool head : {false, true}) {
    std::set<std::size_t> places;
    for (unsigned i = 0; i < 4096; ++i) {
      Uuid id;
      id.bytes.fill(0x80);
      id.bytes[head ? 3 : 12] = static_cast<std::uint8_t>(i);
      id.bytes[head ? 4 : 11] = static_cast<std::uint8_t>(i >> 8U);
      places.insert(std::hash<Uuid>{}(id) % 4096);
    }
    EXPECT_GT(places.size(), 2048U);  // 2,589 if thrown at random
  }
}

TEST(KeyedHash, OneValueHasOneHash) {
  const std::string_view text = "a key";
  EXPECT_EQ(keyed_hash(text), keyed_hash(std::string(text)));
  EXPECT_EQ(keyed_hash({}), keyed_hash(""));
}

}  // namespace
}  // namespace rota

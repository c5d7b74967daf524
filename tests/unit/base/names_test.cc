#include "common/base/names.h"

#include <gtest/gtest.h>

#include "common/base/code.h"
#include "common/base/job_state.h"
#include "common/base/prng.h"

namespace rota {
namespace {

TEST(QueueName, AllowsItsAlphabetUpToItsLength) {
  EXPECT_TRUE(is_valid_queue_name("default"));
  EXPECT_TRUE(is_valid_queue_name("A-z_0.9"));
  EXPECT_TRUE(is_valid_queue_name(std::string(64, 'q')));
  EXPECT_FALSE(is_valid_queue_name(std::string(65, 'q')));
  for (const char* name : {"", "a b", "a/b", "ä", "a\n"}) EXPECT_FALSE(is_valid_queue_name(name)) << name;
}

TEST(Text, RefusesControlCharactersAndBrokenUtf8) {
  EXPECT_TRUE(is_valid_text("plain", 5));
  EXPECT_TRUE(is_valid_text("größe 数 🎉", 64));
  EXPECT_FALSE(is_valid_text("plain", 4));
  for (const char* text :
       {"a\nb", "a\x7f", "\xC0\x80", "\xE0\x80\x80", "\xED\xA0\x80", "\xF4\x90\x80\x80", "\xC3", "\xFF"}) {
    EXPECT_FALSE(is_valid_text(text, 64));
  }
}

TEST(Code, EveryNumberHasItsOwnName) {
  for (std::uint8_t i = 0; i < kCodeCount; ++i) {
    const auto code = code_from_number(i);
    ASSERT_TRUE(code);
    EXPECT_FALSE(code_name(*code).empty());
    for (std::uint8_t j = 0; j < i; ++j) EXPECT_NE(code_name(*code), code_name(*code_from_number(j)));
  }
  EXPECT_FALSE(code_from_number(kCodeCount));
}

TEST(JobStateNames, RoundTrip) {
  for (std::uint8_t i = 0; i < kJobStateCount; ++i) {
    const auto state = job_state_from_number(i);
    ASSERT_TRUE(state);
    EXPECT_EQ(parse_job_state(job_state_name(*state)), state);
    EXPECT_EQ(is_final(*state), i >= 4);
  }
  EXPECT_FALSE(job_state_from_number(kJobStateCount));
}

TEST(Prng, SameSeedSameNumbers) {
  Prng a(42);
  Prng b(42);
  Prng other(43);
  EXPECT_EQ(a.next(), b.next());
  EXPECT_NE(a.next(), other.next());
}

TEST(Prng, BelowStaysBelowAndReachesEveryValue) {
  Prng random(5);
  bool seen[7] = {};
  for (int i = 0; i < 1000; ++i) seen[random.below(7)] = true;
  for (const bool value : seen) EXPECT_TRUE(value);
}

}  // namespace
}  // namespace rota

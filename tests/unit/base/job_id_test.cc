#include "common/base/job_id.h"

#include <gtest/gtest.h>

namespace rota {
namespace {

TEST(JobId, SlotOfDefaultQueueIsTheDocumentedOne) { EXPECT_EQ(slot_of_queue("default"), 0x656); }

TEST(JobId, SlotIsTheLowBitsOfXmodemsCheckValue) {
  // The CRC catalogue gives 0x31C3 for "123456789".
  EXPECT_EQ(slot_of_queue("123456789"), 0x1C3);
}

TEST(JobId, MadeIdTellsItsTimeAndSlot) {
  Prng random(1);
  const Wall at{1'763'800'000'123};
  const JobId id = make_job_id(at, 0xABC, random);
  EXPECT_TRUE(is_job_id(id));
  EXPECT_EQ(time_of(id), at);
  EXPECT_EQ(slot_of(id), 0xABC);
}

TEST(JobId, IdsSortByTheTimeTheyWereMade) {
  Prng random(2);
  JobId previous = make_job_id(Wall{1000}, 4095, random);
  for (std::int64_t ms = 1001; ms < 1100; ++ms) {
    const JobId next = make_job_id(Wall{ms}, 0, random);
    EXPECT_LT(previous, next);
    previous = next;
  }
}

TEST(JobId, OtherUuidsAreNoJobIds) {
  EXPECT_FALSE(is_job_id(Uuid{}));
  EXPECT_FALSE(is_job_id(random_uuid()));
}

TEST(Uuid, TextRoundTripsAndNothingElseParses) {
  const Uuid uuid = random_uuid();
  const std::string text = to_string(uuid);
  ASSERT_EQ(text.size(), 36U);
  EXPECT_EQ(parse_uuid(text), uuid);
  EXPECT_EQ(parse_uuid("0193B2F0-6CF8-7656-8A2B-0123456789AB"), parse_uuid("0193b2f0-6cf8-7656-8a2b-0123456789ab"));
  EXPECT_FALSE(parse_uuid(""));
  EXPECT_FALSE(parse_uuid(text.substr(1)));
  EXPECT_FALSE(parse_uuid(text + "0"));
  EXPECT_FALSE(parse_uuid("0193b2f06cf8-7656-8a2b-0123456789ab-"));
  EXPECT_FALSE(parse_uuid("0193b2g0-6cf8-7656-8a2b-0123456789ab"));
}

TEST(JobId, EndingsAreTakenWithAndWithoutDashes) {
  const std::string id = "0193b2f0-6cf8-7656-8a2b-0123456789ab";
  std::string digits = id;
  std::erase(digits, '-');
  for (std::size_t size = 8; size <= digits.size(); ++size) {
    const std::string ending = digits.substr(digits.size() - size);
    EXPECT_EQ(parse_id_ending(ending), ending);
  }
  EXPECT_EQ(parse_id_ending(id), digits);
  EXPECT_EQ(parse_id_ending("8a2b-0123456789ab"), "8a2b0123456789ab");
  EXPECT_EQ(parse_id_ending("-0123456789ab"), "0123456789ab");
  EXPECT_EQ(parse_id_ending("56789AB0"), "56789ab0");
}

TEST(JobId, AnythingElseIsNoEnding) {
  for (const char* text :
       {"", "1234567", "1234567g", "1234-5678", "56789ab-", "8a2b--0123456789ab", "0123-4567", "8a2-b0123456789ab",
        "0193b2f06cf876568a2b0123456789ab0", "a0193b2f0-6cf8-7656-8a2b-0123456789ab"}) {
    EXPECT_FALSE(parse_id_ending(text).has_value()) << text;
  }
}

}  // namespace
}  // namespace rota

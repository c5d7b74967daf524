#include <gtest/gtest.h>

#include "common/wire/codec.h"
#include "tests/unit/wire/random_message.h"

namespace rota::wire::test {
namespace {

constexpr std::uint64_t kRounds = 200;

class EveryKind : public testing::TestWithParam<std::size_t> {};

TEST_P(EveryKind, RandomMessagesComeBackTheSame) {
  Decoder decoder;
  for (std::uint64_t seed = 1; seed <= kRounds; ++seed) {
    RandomMessage random(seed * 1000 + GetParam());
    const Message message = random.of_kind(GetParam());
    std::string frame;
    encode(message, frame);
    const auto decoded = decoder.decode(frame);
    ASSERT_TRUE(decoded.ok()) << "seed " << seed << ": " << decoded.error().message;
    ASSERT_TRUE(*decoded == message) << "seed " << seed;
    std::string again;
    encode(*decoded, again);
    ASSERT_EQ(again, frame) << "seed " << seed;
  }
}

TEST_P(EveryKind, TruncatedRandomMessagesAreRefused) {
  Decoder decoder;
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    RandomMessage random(seed);
    std::string frame;
    encode(random.of_kind(GetParam()), frame);
    const std::size_t step = frame.size() / 300 + 1;
    for (std::size_t size = 0; size < frame.size(); size += step) {
      // A copy of exactly that size, so that a read past its end is seen by a sanitizer.
      const std::vector<char> cut(frame.begin(), frame.begin() + static_cast<std::ptrdiff_t>(size));
      ASSERT_FALSE(decoder.decode({cut.data(), cut.size()}).ok()) << "seed " << seed << ", " << size << " bytes";
    }
  }
}

INSTANTIATE_TEST_SUITE_P(RoundTrip, EveryKind, testing::Range(std::size_t{0}, std::variant_size_v<Body>),
                         [](const auto& kind) {
                           RandomMessage random(1);
                           return std::string(message_name(type_of(random.of_kind(kind.param).body)));
                         });

TEST(RoundTrip, StoredFormsComeBackTheSame) {
  for (std::uint64_t seed = 1; seed <= kRounds; ++seed) {
    RandomMessage random(seed);
    const Spec spec = random.spec();
    std::string bytes;
    encode_spec(spec, bytes);
    const auto decoded_spec = decode_spec(bytes);
    ASSERT_TRUE(decoded_spec.ok()) << decoded_spec.error().message;
    ASSERT_TRUE(*decoded_spec == spec) << "seed " << seed;

    const Report report = random.report(true);
    bytes.clear();
    encode_report(report, bytes);
    const auto decoded_report = decode_report(bytes);
    ASSERT_TRUE(decoded_report.ok()) << decoded_report.error().message;
    ASSERT_TRUE(*decoded_report == report) << "seed " << seed;

    const Selector selector = random.selector();
    const std::string_view payload = random.blob(500);
    bytes.clear();
    encode_item_body(selector, payload, bytes);
    const auto body = decode_item_body(bytes);
    ASSERT_TRUE(body.ok()) << body.error().message;
    ASSERT_TRUE(body->selector == selector) << "seed " << seed;
    ASSERT_EQ(body->payload, payload) << "seed " << seed;
  }
}

TEST(RoundTrip, EncodeAppends) {
  std::string out = "before";
  encode({7, Ping{}}, out);
  EXPECT_EQ(out, std::string("before\x92\x04\x07"));
}

}  // namespace
}  // namespace rota::wire::test

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>

#include "common/wire/codec.h"
#include "tests/unit/wire/hex_file.h"
#include "tests/unit/wire/samples.h"

// The bytes of tests/golden hold the codec and docs/protocol.md to each other. ROTA_UPDATE_GOLDEN=1 writes them anew; look
// at the diff before committing it: a changed byte is a changed protocol.
namespace rota::wire::test {
namespace {

bool updating() { return std::getenv("ROTA_UPDATE_GOLDEN") != nullptr; }

void expect_golden(std::string_view name, std::string_view says, const std::string& bytes) {
  if (updating()) write_golden(name, says, bytes);
  const auto golden = read_golden(name);
  ASSERT_TRUE(golden.has_value()) << golden_path(name) << " is missing";
  EXPECT_EQ(testing::PrintToString(*golden), testing::PrintToString(bytes)) << name;
}

TEST(Golden, EveryMessageEncodesToItsFile) {
  for (const Sample& sample : samples()) {
    std::string bytes;
    encode(sample.message, bytes);
    expect_golden(sample.name, sample.says, bytes);
  }
}

TEST(Golden, EveryFileDecodesToItsMessage) {
  Decoder decoder;
  for (const Sample& sample : samples()) {
    const auto golden = read_golden(sample.name);
    ASSERT_TRUE(golden.has_value()) << sample.name;
    const auto message = decoder.decode(*golden);
    ASSERT_TRUE(message.ok()) << sample.name << ": " << message.error().message;
    EXPECT_TRUE(*message == sample.message) << sample.name;
    EXPECT_EQ(decoder.last_request(), sample.message.request);
  }
}

TEST(Golden, EveryBodyHasASample) {
  std::vector<bool> seen(std::variant_size_v<Body>);
  for (const Sample& sample : samples()) seen[sample.message.body.index()] = true;
  EXPECT_THAT(seen, testing::Each(true));
}

TEST(Golden, StoredFormsHaveFiles) {
  std::string spec;
  encode_spec(sample_spec(), spec);
  expect_golden("spec", "Stored form and DISPATCH form of a job's spec", spec);
  const auto decoded_spec = decode_spec(spec);
  ASSERT_TRUE(decoded_spec.ok());
  EXPECT_TRUE(*decoded_spec == sample_spec());

  std::string report;
  encode_report(sample_report(), report);
  expect_golden("report", "Stored form of an attempt's report", report);
  const auto decoded_report = decode_report(report);
  ASSERT_TRUE(decoded_report.ok());
  EXPECT_TRUE(*decoded_report == sample_report());

  std::string body;
  Selector selector;
  selector.kind = Selector::Kind::index;
  selector.index = -3;
  encode_item_body(selector, "payload", body);
  expect_golden("item_body", "Stored form of a job's own part: payload and selector", body);
  const auto decoded_body = decode_item_body(body);
  ASSERT_TRUE(decoded_body.ok());
  EXPECT_TRUE(decoded_body->selector == selector);
  EXPECT_EQ(decoded_body->payload, "payload");
}

}  // namespace
}  // namespace rota::wire::test

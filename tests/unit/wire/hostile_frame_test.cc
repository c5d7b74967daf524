#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

#include "common/wire/codec.h"
#include "tests/unit/wire/hex_file.h"
#include "tests/unit/wire/samples.h"

// Frames that no honest peer sends. AddressSanitizer sees reads past the end: every frame is its own exact allocation.
namespace rota::wire::test {
namespace {

using testing::HasSubstr;

Code code_of(std::string_view frame) {
  Decoder decoder;
  const std::vector<char> exact(frame.begin(), frame.end());
  const auto message = decoder.decode({exact.data(), exact.size()});
  return message.ok() ? Code::ok : message.error().code;
}

std::string message_of(std::string_view frame) {
  Decoder decoder;
  const auto message = decoder.decode(frame);
  return message.ok() ? "" : message.error().message;
}

std::string bytes(std::string_view hex) { return parse_hex(hex); }

TEST(HostileFrame, EveryTruncationOfAGoldenFrameIsRefused) {
  for (const Sample& sample : samples()) {
    const std::string golden = read_golden(sample.name).value();
    for (std::size_t size = 0; size < golden.size(); ++size) {
      EXPECT_EQ(code_of(golden.substr(0, size)), Code::bad_message) << sample.name << " cut to " << size;
    }
  }
}

TEST(HostileFrame, EveryChangedByteIsDecodedOrRefused) {
  Decoder decoder;
  for (const Sample& sample : samples()) {
    const std::string golden = read_golden(sample.name).value();
    for (std::size_t at = 0; at < golden.size(); ++at) {
      for (unsigned value = 0; value < 256; ++value) {
        std::vector<char> frame(golden.begin(), golden.end());
        frame[at] = static_cast<char>(value);
        const auto message = decoder.decode({frame.data(), frame.size()});
        if (!message.ok()) {
          ASSERT_FALSE(message.error().message.empty());
          continue;
        }
        // What was taken can be said again, and means the same.
        std::string again;
        encode(*message, again);
        Decoder second;
        const auto once_more = second.decode(again);
        ASSERT_TRUE(once_more.ok()) << sample.name << " byte " << at << " = " << value << ": " << once_more.error().message;
      }
    }
  }
}

TEST(HostileFrame, TrailingBytesAreRefused) {
  for (const Sample& sample : samples()) {
    const std::string golden = read_golden(sample.name).value();
    EXPECT_EQ(code_of(golden + '\xC0'), Code::bad_message) << sample.name;
    EXPECT_THAT(message_of(golden + "\xC0\xC0"), HasSubstr("2 bytes follow the message")) << sample.name;
  }
}

TEST(HostileFrame, FurtherFieldsOfAnArrayAreIgnored) {
  Decoder decoder;
  for (const Sample& sample : samples()) {
    std::string golden = read_golden(sample.name).value();
    golden[0] = static_cast<char>(golden[0] + 1);  // the envelope is a fixarray of less than 15
    golden += bytes("93 01 81 a1 61 92 02 03 c4 01 ff");
    const auto message = decoder.decode(golden);
    // These leave out a last optional field, which would stand there.
    if (sample.name == "renew" || sample.name == "error" || sample.name == "submitted" || sample.name == "admin_reply" ||
        sample.name == "admin_purge_reply") {
      continue;
    }
    ASSERT_TRUE(message.ok()) << sample.name << ": " << message.error().message;
    EXPECT_TRUE(*message == sample.message) << sample.name;
  }
}

TEST(HostileFrame, ClaimsOfLengthAreRefusedAtOnce) {
  // An envelope whose third value claims four thousand million entries or bytes, of every kind.
  for (const char* claim : {"dd ff ff ff ff", "df ff ff ff ff", "df 7f ff ff ff", "db ff ff ff ff", "c6 ff ff ff ff",
                            "c9 ff ff ff ff 01", "dd 00 07 ff ff", "dc ff ff", "de ff ff", "c5 ff ff", "da ff ff"}) {
    const Code code = code_of(bytes("93 10 01") + bytes(claim));
    EXPECT_TRUE(code == Code::bad_message || code == Code::too_large) << claim;
  }
  EXPECT_NE(code_of(bytes("dd ff ff ff ff")), Code::ok);
  EXPECT_NE(code_of(bytes("df ff ff ff ff")), Code::ok);
}

TEST(HostileFrame, MoreValuesThanTheLimitAreRefused) {
  const auto array_of_nils = [](std::uint32_t count) {
    std::string frame = bytes("93 04 07 dd");
    for (unsigned shift = 32; shift > 0; shift -= 8) frame.push_back(static_cast<char>(count >> (shift - 8)));
    return frame.append(count, '\xC0');
  };
  // The envelope, its three values and the array's nils.
  EXPECT_EQ(code_of(array_of_nils(limits::kMaxElements - 4)), Code::ok);
  EXPECT_EQ(code_of(array_of_nils(limits::kMaxElements - 3)), Code::too_large);
}

TEST(HostileFrame, NestingIsBounded) {
  const auto nested = [](std::size_t depth) { return bytes("93 04 07") + std::string(depth - 1, '\x91') + '\xC0'; };
  EXPECT_EQ(code_of(nested(limits::kMaxNesting)), Code::ok);
  EXPECT_EQ(code_of(nested(limits::kMaxNesting + 1)), Code::too_large);
  EXPECT_EQ(code_of(nested(1'000'000)), Code::too_large);
  EXPECT_EQ(code_of(std::string(1'000'000, '\x81')), Code::too_large);
}

TEST(HostileFrame, WhatIsNotAnEnvelopeIsRefused) {
  EXPECT_EQ(code_of(""), Code::bad_message);
  EXPECT_EQ(code_of("GET / HTTP/1.1\r\n\r\n"), Code::bad_message);
  EXPECT_EQ(code_of(bytes("c1")), Code::bad_message);
  EXPECT_EQ(code_of(bytes("c0")), Code::bad_message);
  EXPECT_EQ(code_of(bytes("80")), Code::bad_message);
  EXPECT_EQ(code_of(bytes("90")), Code::bad_message);
  EXPECT_EQ(code_of(bytes("91 04")), Code::bad_message);
  EXPECT_EQ(code_of(bytes("92 04 ff")), Code::bad_message);
  EXPECT_EQ(code_of(bytes("92 a1 34 07")), Code::bad_message);
  EXPECT_EQ(code_of(bytes("92 d4 01 00")), Code::bad_message);
  EXPECT_EQ(message_of(bytes("92 ff 07")), "message: type is negative");
}

TEST(HostileFrame, UnknownAndReservedTypesAreNamed) {
  for (const unsigned type : {0U, 7U, 15U, 29U, 30U, 57U, 127U}) {
    std::string frame = bytes("92 00 07");
    frame[1] = static_cast<char>(type);
    EXPECT_EQ(message_of(frame), "message: type " + std::to_string(type) + " is not known");
  }
}

TEST(HostileFrame, TheRequestNumberIsKnownWhereverItCouldBeRead) {
  Decoder decoder;
  EXPECT_FALSE(decoder.decode(bytes("93 10 cd 12 34 dd ff ff ff ff")).ok());
  EXPECT_EQ(decoder.last_request(), 0x1234U);
  EXPECT_FALSE(decoder.decode(bytes("92 10 07 c0")).ok());
  EXPECT_EQ(decoder.last_request(), 7U);
  EXPECT_FALSE(decoder.decode(bytes("92 1d 09")).ok());
  EXPECT_EQ(decoder.last_request(), 9U);
  EXPECT_FALSE(decoder.decode(bytes("92 10")).ok());
  EXPECT_EQ(decoder.last_request(), 0U);
  EXPECT_FALSE(decoder.decode("garbage").ok());
  EXPECT_EQ(decoder.last_request(), 0U);
}

TEST(HostileFrame, WrongTypesAreNamedByField) {
  EXPECT_EQ(message_of(bytes("93 12 05 c3")), "WAIT: ids is missing");
  EXPECT_EQ(message_of(bytes("94 12 05 01 90")), "WAIT: with_result must be a boolean");
  EXPECT_EQ(message_of(bytes("94 12 05 c3 80")), "WAIT: ids must be an array");
  EXPECT_EQ(message_of(bytes("94 12 05 c3 91 c4 02 00 00")), "WAIT: id 0: must be a bin of 16 bytes");
  EXPECT_EQ(message_of(bytes("94 12 05 c3 91 a1 61")), "WAIT: id 0: must be a bin of 16 bytes");
  EXPECT_EQ(message_of(bytes("94 12 05 c3 91 c4 10 00 00 00 00 00 00 40 00 80 00 00 00 00 00 00 00")),
            "WAIT: id 0: is not a UUIDv7");
}

TEST(HostileFrame, SignedFormatsOfPositiveNumbersAreTaken) {
  Decoder decoder;
  const auto message = decoder.decode(bytes("92 d0 04 d3 00 00 00 00 00 00 00 07"));
  ASSERT_TRUE(message.ok());
  EXPECT_EQ(message->request, 7U);
}

TEST(HostileFrame, StoredFormsRefuseGarbage) {
  for (const std::string& garbage : {std::string(), std::string("x"), bytes("c0"), bytes("91"), bytes("90 90"),
                                     bytes("dd ff ff ff ff"), std::string(100, '\x91'), bytes("91 01")}) {
    EXPECT_FALSE(decode_spec(garbage).ok());
    EXPECT_FALSE(decode_report(garbage).ok());
    EXPECT_FALSE(decode_item_body(garbage).ok());
  }
  EXPECT_EQ(decode_spec(bytes("91 92 91 c4 01 61 91 c4 01 41")).error().message,
            "spec: command env must alternate names and values");
  EXPECT_TRUE(decode_spec(bytes("90")).ok());
  EXPECT_TRUE(decode_report(bytes("90")).ok());
  EXPECT_EQ(decode_item_body(bytes("90")).error().message, "job: payload is missing");
}

}  // namespace
}  // namespace rota::wire::test

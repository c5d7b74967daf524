#include "common/wire/peek.h"

#include <gtest/gtest.h>

#include <string>

#include "common/wire/codec.h"
#include "tests/unit/wire/samples.h"

namespace rota::wire::test {
namespace {

TEST(Peek, TellsTypeAndRequestOfEveryMessage) {
  for (const Sample& sample : samples()) {
    std::string frame;
    encode(sample.message, frame);
    const auto begin = peek(frame);
    ASSERT_TRUE(begin.has_value()) << sample.name;
    EXPECT_EQ(begin->type, type_of(sample.message.body)) << sample.name;
    EXPECT_EQ(begin->request, sample.message.request) << sample.name;
  }
}

TEST(Peek, NeedsNoMoreThanTheBeginning) {
  const auto begin = peek(std::string("\x94\x10\xCD\x03\xE8", 5) + "anything");
  ASSERT_TRUE(begin.has_value());
  EXPECT_EQ(begin->type, MessageType::submit);
  EXPECT_EQ(begin->request, 1000U);
}

TEST(Peek, WhatDoesNotBeginLikeAMessageIsNone) {
  using namespace std::string_view_literals;
  for (const std::string_view frame :
       {""sv, "\x94"sv, "\x94\x10"sv, "\x10\x10\x10"sv, "\x94\x94\x10\x10"sv, "\x82\x10\x10"sv, "\x94\xC0\x10"sv,
        "\x94\x10\xC4\x01x"sv, "\x94\x10\xFF"sv, "\x94\xCD\x01\x00\x01"sv, "\xDD\xFF\xFF\xFF\xFF"sv}) {
    EXPECT_FALSE(peek(frame).has_value()) << testing::PrintToString(frame);
  }
}

}  // namespace
}  // namespace rota::wire::test

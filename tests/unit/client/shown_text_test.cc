#include "client/cli/shown_text.h"

#include <gtest/gtest.h>

namespace rota::cli {
namespace {

TEST(ShownTextTest, NothingInALineCanMoveTheCursor) {
  EXPECT_EQ(shown_line("a\nb\r\tc"), "a\\nb\\r\\tc");
  EXPECT_EQ(shown_line("\x1b[2Jx\x07\x7f"), "\\x1b[2Jx\\x07\\x7f");
  EXPECT_EQ(shown_line("\xc2\x9b"
                       "31m"),
            "\\u009b31m");  // CSI as one character of C1
  EXPECT_EQ(shown_line("a\xe2\x80\xae"
                       "b"),
            "a\\u202eb");  // turns the reading direction
  EXPECT_EQ(shown_line(std::string_view("a\0b", 3)), "a\\x00b");
}

TEST(ShownTextTest, BytesThatAreNoUtf8AreShownAsBytes) {
  EXPECT_EQ(shown_line("gr\xfc\xdf"), "gr\\xfc\\xdf");
  EXPECT_EQ(shown_line("\xc0\xaf"), "\\xc0\\xaf");           // overlong
  EXPECT_EQ(shown_line("\xed\xa0\x80"), "\\xed\\xa0\\x80");  // a surrogate
  EXPECT_EQ(shown_line("\xf0\x9f\x98"), "\\xf0\\x9f\\x98");  // cut off
  EXPECT_EQ(shown_line("grüße 世界 🙂"), "grüße 世界 🙂");
}

TEST(ShownTextTest, LinesKeepTheirEndsAndOutputItsColours) {
  EXPECT_EQ(shown_lines("a\n\tb\r\nc\x1b[1m"), "a\n\tb\r\nc\\x1b[1m");
  EXPECT_EQ(shown_lines("10 %\r20 %"), "10 %\\r20 %");
  EXPECT_EQ(shown_output("\x1b[1;31mred"), "\x1b[1;31mred\x1b[0m");
  EXPECT_EQ(shown_output("\x1b[2J\x1b]0;title\x07"), "\\x1b[2J\\x1b]0;title\\x07");
  EXPECT_EQ(shown_output("\x1b[31"), "\\x1b[31");
}

TEST(ShownTextTest, WidthIsWhatATerminalNeeds) {
  EXPECT_EQ(display_width("abc"), 3U);
  EXPECT_EQ(display_width("grüße"), 5U);
  EXPECT_EQ(display_width("世界"), 4U);
  EXPECT_EQ(display_width("e\xcc\x81"), 1U);
  EXPECT_EQ(display_width("🙂"), 2U);
}

TEST(ShownTextTest, CutTextEndsOrBeginsWithAnEllipsis) {
  EXPECT_EQ(cut_to_width("abcdef", 6), "abcdef");
  EXPECT_EQ(cut_to_width("abcdef", 4), "abc…");
  EXPECT_EQ(cut_to_width("abcdef", 4, true), "…def");
  EXPECT_EQ(cut_to_width("世界世界", 4), "世…");  // half a character is none
  EXPECT_EQ(cut_to_width("世界世界", 4, true), "…界");
  EXPECT_EQ(cut_to_width("abc", 1), "…");
  EXPECT_EQ(cut_to_width("abc", 0), "");
}

}  // namespace
}  // namespace rota::cli

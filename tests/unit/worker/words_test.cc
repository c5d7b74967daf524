#include "worker/program/words.h"

#include <gtest/gtest.h>

namespace rota::worker {
namespace {

using Words = std::vector<std::string>;

TEST(Words, SplitAsAShellDoesWithoutExpanding) {
  EXPECT_EQ(split_words("  convert in.png\tout.jpg ").value(), (Words{"convert", "in.png", "out.jpg"}));
  EXPECT_EQ(split_words(R"(a 'b c' "d \" e" f\ g h"i"'j')").value(), (Words{"a", "b c", "d \" e", "f g", "hij"}));
  EXPECT_EQ(split_words(R"(echo $HOME '' "\n")").value(), (Words{"echo", "$HOME", "", "\\n"}));
}

TEST(Words, AnOpenQuoteOrNothingAtAllIsRefused) {
  EXPECT_FALSE(split_words("a 'b").ok());
  EXPECT_FALSE(split_words("a \"b").ok());
  EXPECT_FALSE(split_words("a \\").ok());
  EXPECT_FALSE(split_words("  ").ok());
}

}  // namespace
}  // namespace rota::worker

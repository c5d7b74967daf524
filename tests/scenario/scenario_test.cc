// Runs every script of this folder. A script is a series of steps: lines of commands, "----", and beneath it what the core
// decided. With ROTA_REWRITE_SCENARIOS=1 in the environment the expected text is written anew; review it as a diff.
#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "tests/scenario/replay.h"

namespace rota::scenario {
namespace {

class Scenario : public testing::TestWithParam<std::filesystem::path> {};

TEST_P(Scenario, GivesWhatIsWritten) {
  const std::string written = read(GetParam());
  const std::string given = replay(written);
  if (std::getenv("ROTA_REWRITE_SCENARIOS") != nullptr) {
    std::ofstream(GetParam()) << given;
  } else {
    EXPECT_EQ(written, given);
  }
}

INSTANTIATE_TEST_SUITE_P(Scripts, Scenario, testing::ValuesIn(scripts()), [](const auto& test) {
  std::string name = test.param.stem().string();
  std::replace_if(
      name.begin(), name.end(), [](char c) { return std::isalnum(static_cast<unsigned char>(c)) == 0; }, '_');
  return name;
});

}  // namespace
}  // namespace rota::scenario

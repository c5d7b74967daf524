// Runs every script of this folder. A script is a series of steps: lines of commands, "----", and beneath it what the core
// decided. With ROTA_REWRITE_SCENARIOS=1 in the environment the expected text is written anew; review it as a diff.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "tests/scenario/script.h"

namespace rota::scenario {
namespace {

std::vector<std::filesystem::path> scripts() {
  std::vector<std::filesystem::path> found;
  for (const auto& entry : std::filesystem::directory_iterator(ROTA_SOURCE_DIR "/tests/scenario")) {
    if (entry.path().extension() == ".txt" && entry.path().filename() != "CMakeLists.txt") found.push_back(entry.path());
  }
  std::sort(found.begin(), found.end());
  return found;
}

std::string read(const std::filesystem::path& path) {
  std::ifstream in(path);
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

// The script with the outputs that a run gives.
std::string replay(const std::string& text) {
  Script script;
  std::istringstream in(text);
  std::string result;
  std::vector<std::string> commands;
  bool in_output = false;
  for (std::string line; std::getline(in, line);) {
    if (in_output) {
      in_output = !line.empty();
      if (line.empty()) result += "\n";
      continue;
    }
    result += line + "\n";
    if (line == "----") {
      result += script.step(commands);
      commands.clear();
      in_output = true;
    } else if (!line.empty() && line[0] != '#') {
      commands.push_back(line);
    }
  }
  return result;
}

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

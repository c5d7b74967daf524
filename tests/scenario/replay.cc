#include "tests/scenario/replay.h"

#include <algorithm>
#include <fstream>
#include <sstream>

#include "tests/scenario/script.h"

namespace rota::scenario {

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

}  // namespace rota::scenario

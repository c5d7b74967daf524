#include "tests/unit/wire/hex_file.h"

#include <charconv>
#include <cstdio>
#include <fstream>
#include <sstream>

namespace rota::wire::test {

std::string golden_path(std::string_view name) {
  return std::string(ROTA_SOURCE_DIR) + "/tests/golden/" + std::string(name) + ".hex";
}

std::string parse_hex(std::string_view text) {
  std::string bytes;
  std::istringstream lines{std::string(text)};
  for (std::string line; std::getline(lines, line);) {
    line = line.substr(0, line.find('#'));
    line = line.substr(0, line.find("  "));
    std::istringstream words(line);
    for (std::string word; words >> word;) {
      unsigned value = 0;
      const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), value, 16);
      if (word.size() != 2 || error != std::errc{} || end != word.data() + 2) return "not hex: " + word;
      bytes.push_back(static_cast<char>(value));
    }
  }
  return bytes;
}

std::string read_text_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

std::optional<std::string> read_golden(std::string_view name) {
  const std::string text = read_text_file(golden_path(name));
  if (text.empty()) return std::nullopt;
  return parse_hex(text);
}

void write_golden(std::string_view name, std::string_view comment, std::string_view bytes) {
  std::ofstream file(golden_path(name), std::ios::binary | std::ios::trunc);
  file << "# " << comment << '\n';
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    char pair[4];
    std::snprintf(pair, sizeof pair, "%02x", static_cast<unsigned>(static_cast<unsigned char>(bytes[i])));
    file << pair << ((i % 32 == 31 || i + 1 == bytes.size()) ? '\n' : ' ');
  }
}

}  // namespace rota::wire::test

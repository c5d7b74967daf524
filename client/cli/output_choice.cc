#include "client/cli/output_choice.h"

#include <cstdlib>
#include <optional>
#include <string_view>
#include <vector>

#include "common/program/config_file.h"

namespace rota::cli {

namespace {

// Of `--name VALUE` or `--name=VALUE`; otherwise of the variable.
std::optional<std::string> given(std::span<const char* const> words, const std::string& name, const char* variable) {
  for (std::size_t i = 0; i < words.size(); ++i) {
    const std::string_view word = words[i];
    if (word == "--" + name && i + 1 < words.size()) return words[i + 1];
    if (word.starts_with("--" + name + "=")) return std::string(word.substr(name.size() + 3));
  }
  if (const char* value = std::getenv(variable)) return value;
  return std::nullopt;
}

}  // namespace

std::string output_chosen(std::span<const char* const> words) {
  std::optional<std::string> chosen = given(words, "output", "ROTA_OUTPUT");
  if (!chosen) {
    const std::optional<std::string> path = given(words, "config", "ROTA_CONFIG");
    if (path && !path->empty()) {
      if (const auto file = program::ConfigFile::read(*path)) {
        const std::vector<std::string> values = file->values("", "output");
        if (values.size() == 1) chosen = values.front();
      }
    }
  }
  return chosen == "json" || chosen == "quiet" ? *chosen : "text";
}

}  // namespace rota::cli

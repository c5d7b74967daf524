#include "common/program/config_file.h"

#include <toml++/toml.h>
#include <algorithm>
#include <optional>
#include <sstream>

namespace rota::program {
namespace {

std::optional<std::string> text_of(const toml::node& node) {
  if (const auto text = node.value_exact<std::string>()) return *text;
  if (const auto flag = node.value_exact<bool>()) return *flag ? "true" : "false";
  if (const auto number = node.value_exact<std::int64_t>()) return std::to_string(*number);
  if (const auto number = node.value_exact<double>()) {
    std::ostringstream out;
    out << *number;
    return out.str();
  }
  return std::nullopt;
}

// Levenshtein distance, for "did you mean".
std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = std::exchange(row[0], i);
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t substitute = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, substitute});
    }
  }
  return row[b.size()];
}

std::string shown(const ConfigKey& key) { return key.table.empty() ? key.name : key.table + "." + key.name; }

}  // namespace

Result<ConfigFile> ConfigFile::read(const std::string& path) {
  ConfigFile file;
  file.path_ = path;
  toml::table parsed;
  try {
    parsed = toml::parse_file(path);
  } catch (const toml::parse_error& error) {
    return Error{Code::bad_message, "cannot read " + path + ": line " + std::to_string(error.source().begin.line) + ": " +
                                        std::string(error.description())};
  }
  const auto take = [&](const std::string& table, const toml::table& from) -> Status {
    for (const auto& [key, node] : from) {
      const std::string name(key.str());
      std::vector<std::string> values;
      if (const toml::array* array = node.as_array()) {
        for (const toml::node& element : *array) {
          const auto text = text_of(element);
          if (!text) return Error{Code::bad_message, path + ": " + name + " holds something that is not a plain value"};
          values.push_back(*text);
        }
      } else if (const auto text = text_of(node)) {
        values.push_back(*text);
      } else {
        continue;  // a table: taken by the caller
      }
      file.values_[{table, name}] = std::move(values);
    }
    return {};
  };
  if (const Status top = take("", parsed); !top) return top.error();
  for (const auto& [key, node] : parsed) {
    if (const toml::table* table = node.as_table()) {
      if (const Status inner = take(std::string(key.str()), *table); !inner) return inner.error();
    }
  }
  return file;
}

std::vector<std::string> ConfigFile::values(const std::string& table, const std::string& name) const {
  const auto found = values_.find({table, name});
  return found == values_.end() ? std::vector<std::string>{} : found->second;
}

Status ConfigFile::check_keys(const std::vector<ConfigKey>& known) const {
  for (const auto& [key, values] : values_) {
    if (std::find(known.begin(), known.end(), key) != known.end()) continue;
    const std::string given = shown(key);
    const auto nearest = std::min_element(known.begin(), known.end(), [&](const ConfigKey& a, const ConfigKey& b) {
      return distance(shown(a), given) < distance(shown(b), given);
    });
    std::string message = path_ + ": there is no option '" + given + "'";
    if (nearest != known.end()) message += "; did you mean '" + shown(*nearest) + "'?";
    return Error{Code::bad_message, message};
  }
  return {};
}

}  // namespace rota::program

#include "common/program/config_file.h"

#include <toml++/toml.h>
#include <algorithm>
#include <optional>
#include <sstream>

#include "common/program/nearest.h"

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

std::string shown(const ConfigKey& key) { return key.table.empty() ? key.name : key.table + "." + key.name; }

Error not_plain(const std::string& path, const ConfigKey& key) {
  return Error{Code::bad_message,
               path + ": " + shown(key) +
                   " holds something that is not a plain value; give a text, a number, true, false or an array of these"};
}

// Of the table of the command that is run the names alone count.
ConfigKey nearest_key(const ConfigKey& wrong, const std::vector<ConfigKey>& known, const std::string& table) {
  const auto distance = [&](const ConfigKey& key) {
    const std::size_t whole = edit_distance(shown(key), shown(wrong));
    return table.empty() || key.table != table ? whole : std::min(whole, edit_distance(key.name, wrong.name));
  };
  return *std::min_element(known.begin(), known.end(), [&](const ConfigKey& a, const ConfigKey& b) {
    return std::pair(distance(a), a.table != table) < std::pair(distance(b), b.table != table);
  });
}

}  // namespace

Result<ConfigFile> ConfigFile::read(const std::string& path) {
  ConfigFile file;
  file.path_ = path;
  toml::table parsed;
  try {
    parsed = toml::parse_file(path);
  } catch (const toml::parse_error& error) {
    // A file that cannot be opened has no line.
    const auto line = error.source().begin.line;
    const std::string place = line == 0 ? std::string() : "line " + std::to_string(line) + ": ";
    return Error{Code::bad_message, "cannot read " + path + ": " + place + std::string(error.description())};
  }
  const auto take = [&](const std::string& table, const toml::table& from) -> Status {
    for (const auto& [key, node] : from) {
      const std::string name(key.str());
      std::vector<std::string> values;
      if (const toml::array* array = node.as_array()) {
        for (const toml::node& element : *array) {
          const auto text = text_of(element);
          if (!text) return not_plain(path, {table, name});
          values.push_back(*text);
        }
      } else if (const auto text = text_of(node)) {
        values.push_back(*text);
      } else if (table.empty() && node.is_table()) {
        continue;  // taken by the caller
      } else {
        return not_plain(path, {table, name});
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

Status ConfigFile::check_keys(const std::vector<ConfigKey>& known, const std::vector<ConfigKey>& elsewhere,
                              const std::string& table) const {
  for (const auto& [key, values] : values_) {
    if (std::find(known.begin(), known.end(), key) != known.end()) continue;
    if (std::find(elsewhere.begin(), elsewhere.end(), key) != elsewhere.end()) {
      return Error{Code::bad_message,
                   path_ + ": '" + shown(key) + "' is given on the command line only; leave it out of the file"};
    }
    std::string message = path_ + ": there is no option '" + shown(key) + "'";
    if (!known.empty()) message += "; did you mean '" + shown(nearest_key(key, known, table)) + "'?";
    return Error{Code::bad_message, message};
  }
  return {};
}

}  // namespace rota::program

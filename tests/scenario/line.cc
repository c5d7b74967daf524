#include <gtest/gtest.h>

#include <set>
#include <sstream>

#include "common/base/units.h"
#include "tests/scenario/script.h"

namespace rota::scenario {

std::string Line::text(const std::string& name, const std::string& otherwise) const {
  const auto at = options.find(name);
  return at == options.end() ? otherwise : at->second;
}
std::uint64_t Line::number(const std::string& name, std::uint64_t otherwise) const {
  return has(name) ? std::stoull(options.at(name)) : otherwise;
}
Millis Line::duration(const std::string& name, Millis otherwise) const {
  if (!has(name)) return otherwise;
  const auto value = parse_duration(options.at(name));
  EXPECT_TRUE(value.has_value()) << name << "=" << options.at(name);
  return value.value_or(Millis{0});
}

Line parse_line(const std::string& line) {
  static const std::set<std::string> kFlags{"memory", "draining", "not_an_id", "new"};
  Line result;
  std::istringstream words(line);
  words >> result.verb;
  for (std::string word; words >> word;) {
    const std::size_t equals = word.find('=');
    if (kFlags.count(word) != 0) {
      result.options[word] = "";
    } else if (equals == std::string::npos) {
      result.words.push_back(word);
    } else {
      result.options[word.substr(0, equals)] = word.substr(equals + 1);
    }
  }
  return result;
}

}  // namespace rota::scenario

#include "common/program/nearest.h"

#include <algorithm>
#include <utility>

namespace rota::program {

std::size_t edit_distance(std::string_view a, std::string_view b) {
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

std::string nearest_word(std::string_view misspelt, const std::vector<std::string>& words) {
  const auto nearest = std::min_element(words.begin(), words.end(), [misspelt](const std::string& a, const std::string& b) {
    return edit_distance(a, misspelt) < edit_distance(b, misspelt);
  });
  return nearest == words.end() ? std::string() : *nearest;
}

}  // namespace rota::program

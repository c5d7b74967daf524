#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace rota::program {

// Levenshtein distance: how many letters to change, leave out or put in.
[[nodiscard]] std::size_t edit_distance(std::string_view a, std::string_view b);

// The word that is nearest to a misspelt one; empty if there are no words.
[[nodiscard]] std::string nearest_word(std::string_view misspelt, const std::vector<std::string>& words);

}  // namespace rota::program

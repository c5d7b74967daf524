#pragma once

#include <cstdint>
#include <span>
#include <string>

namespace rota::cli {

enum class Output : std::uint8_t { text, json, quiet };

// The value of --output as it stands in the words, the environment or the file, looked up without a parse, so that an error
// of the parse itself comes out in the right form. "text" if there is none, or none that is allowed.
[[nodiscard]] std::string output_chosen(std::span<const char* const> words);

}  // namespace rota::cli

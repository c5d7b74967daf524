#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"

namespace rota::worker {

// Splits a command line into words as a POSIX shell does: blanks separate; '…' keeps everything, "…" everything but
// \" and \\, a backslash keeps the next character. Nothing is expanded. BAD_MESSAGE: an open quote, or no word at all.
[[nodiscard]] Result<std::vector<std::string>> split_words(std::string_view line);

}  // namespace rota::worker

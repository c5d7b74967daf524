#pragma once

#include <cstddef>
#include <string>
#include <string_view>

// Text of strangers (job names, messages, outputs) on its way to a person: nothing in it may move the cursor, change the
// terminal or turn the reading direction. Such characters become visible escapes (\n, \x1b, \u202e), bytes that are no
// UTF-8 \xNN.
namespace rota::cli {

// As one line.
[[nodiscard]] std::string shown_line(std::string_view text);
// Keeps line ends and tabs.
[[nodiscard]] std::string shown_lines(std::string_view text);
// A command's output on a terminal: keeps line ends, tabs and colours (SGR sequences, ended at the end of the text).
[[nodiscard]] std::string shown_output(std::string_view bytes);

// Columns that a terminal needs for it: 2 for wide characters of East Asia and emoji, 0 for combining ones.
[[nodiscard]] std::size_t display_width(std::string_view text);
// At most `columns` wide: an ellipsis stands for the end that was cut off, or with `keep_end` for the beginning.
[[nodiscard]] std::string cut_to_width(std::string_view text, std::size_t columns, bool keep_end = false);

}  // namespace rota::cli

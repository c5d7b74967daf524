#pragma once

#include <optional>
#include <string>
#include <string_view>

// The golden files: '#' comments and lines of hex bytes.
namespace rota::wire::test {

[[nodiscard]] std::string golden_path(std::string_view name);
// The bytes of a line or text of hex pairs. A pair must stand alone; two spaces end the bytes of a line (what follows is
// commentary), as does '#'.
[[nodiscard]] std::string parse_hex(std::string_view text);
// The bytes of tests/golden/<name>.hex; nothing if there is no such file.
[[nodiscard]] std::optional<std::string> read_golden(std::string_view name);
void write_golden(std::string_view name, std::string_view comment, std::string_view bytes);
// The whole file; empty if it cannot be read.
[[nodiscard]] std::string read_text_file(const std::string& path);

}  // namespace rota::wire::test

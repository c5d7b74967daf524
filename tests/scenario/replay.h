#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace rota::scenario {

// The scripts of this folder, by name.
[[nodiscard]] std::vector<std::filesystem::path> scripts();
[[nodiscard]] std::string read(const std::filesystem::path& path);
// The script with the outputs that a run gives.
[[nodiscard]] std::string replay(const std::string& text);

}  // namespace rota::scenario

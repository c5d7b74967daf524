#pragma once

#include <string_view>

namespace rota::program {

inline constexpr std::string_view kVersion = "0.1.0";

}  // namespace rota::program

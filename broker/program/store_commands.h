#pragma once

#include <string>

namespace rota::broker {

// `rota-broker check` and `rota-broker backup`: what they find on stdout, what is wrong as one line on stderr; the exit
// code.
[[nodiscard]] int check_store(const std::string& directory);
[[nodiscard]] int back_up_store(const std::string& directory, const std::string& target);

}  // namespace rota::broker

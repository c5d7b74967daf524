#pragma once

#include <memory>
#include <string>
#include <string_view>

namespace spdlog {
class logger;
}

namespace rota::program {

// A logger to stderr: "text" (time, level, message) or "json" (one object a line: ts, level, logger, msg).
// Level: trace, debug, info, warn, error, off.
[[nodiscard]] std::shared_ptr<spdlog::logger> make_logger(std::string_view name, std::string_view level,
                                                          std::string_view format);

}  // namespace rota::program

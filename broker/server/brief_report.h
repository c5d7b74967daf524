#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace rota::server {

// A report as its record holds it, without its result; how many bytes that had goes to `left_out`. For lists: results may
// be large, the rest of a report is not.
[[nodiscard]] std::string brief_report(std::string_view report, std::uint64_t& left_out, bool with_stderr = true);

}  // namespace rota::server

#pragma once

#include <cstdint>

namespace rota::server {

// What the operating system says of this process, as every Prometheus client shows it. 0: it does not say.
struct ProcessFigures {
  double cpu_seconds = 0;  // user and system
  double start_time = 0;   // Unix time in seconds
  std::uint64_t resident_bytes = 0, virtual_bytes = 0;
  std::uint64_t open_files = 0, max_files = 0;
};

// Reads /proc. Any thread.
[[nodiscard]] ProcessFigures read_process_figures();

}  // namespace rota::server

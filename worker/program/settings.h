#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "common/program/options.h"
#include "worker/worker.h"

namespace rota::worker {

// What rota-worker was told: command line, environment and file together.
struct Settings {
  WorkerOptions worker;  // without the observer
  bool exec = false;
  std::vector<std::pair<std::string, std::vector<std::string>>> commands;  // type and argv
  std::uint64_t max_output = limits::kDefaultMaxOutput;
};

// Declares the options on `options`, which writes into `into` when it parses.
void declare_settings(program::Options& options, Settings& into);
// After parsing: fills defaults and checks what concerns several options. A number: exit with it.
[[nodiscard]] std::optional<int> complete_settings(const program::Options& options, Settings& settings);

}  // namespace rota::worker

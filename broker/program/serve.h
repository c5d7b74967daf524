#pragma once

#include "broker/program/broker_options.h"

namespace spdlog {
class logger;
}

namespace rota::broker {

// Wires store, core, sockets, HTTP and loop together, serves, and returns the exit code. What is wrong is printed as one
// line on stderr.
[[nodiscard]] int serve(const BrokerOptions& options, spdlog::logger& log);

}  // namespace rota::broker

#pragma once

#include <cstdint>
#include <string>

#include "common/base/clock.h"
#include "common/base/limits.h"
#include "common/base/uuid.h"

namespace rota::server {

// What a broker is told at its start that its answers depend on.
struct EngineOptions {
  std::string software;  // "rota 0.1.0"
  Uuid broker_id;
  std::uint64_t epoch = 1;
  std::uint64_t max_payload = limits::kDefaultMaxPayload;
  Millis lease = limits::kDefaultLease;
  Millis dedup_window = limits::kDefaultDedupWindow;
  std::string clients_endpoint, workers_endpoint;  // as advertised
  bool keeps_on_disk = true;                       // false: --store memory; fsync jobs are refused
};

}  // namespace rota::server

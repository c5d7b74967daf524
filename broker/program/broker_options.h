#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "common/base/clock.h"
#include "common/base/limits.h"
#include "common/program/options.h"

namespace rota::broker {

// What rota-broker was asked to do.
enum class Task : std::uint8_t { serve, check, backup };

// What rota-broker was asked for.
struct BrokerOptions {
  Task task = Task::serve;
  std::string target;  // of a backup
  std::string data;
  std::string clients = "tcp://127.0.0.1:5555";
  std::string workers = "tcp://127.0.0.1:5556";
  std::string http = "127.0.0.1:5580";  // or "off"
  std::string store = "lmdb";
  std::uint64_t memory_limit = limits::kDefaultMemoryLimit;
  std::uint64_t store_limit = limits::kDefaultStoreLimit;
  std::uint64_t finished_limit = limits::kDefaultFinishedLimit;
  std::uint64_t max_payload = limits::kDefaultMaxPayload;
  Millis lease = limits::kDefaultLease;
  Millis reattach{0};  // 0: two leases
  Millis dedup_window = limits::kDefaultDedupWindow;
  std::string advertise;
  bool insecure = false;
  std::string log_level, log_format;

  // taken apart from `http`; nothing when it is off
  std::string http_host;
  std::uint16_t http_port = 0;
};

// Reads the command line into `into`. Nothing: go on with the task. A number: exit with it.
[[nodiscard]] std::optional<int> read_options(program::Options& options, int argc, const char* const* argv,
                                              BrokerOptions& into);
// Where jobs are kept unless --data says: $STATE_DIRECTORY, $XDG_STATE_HOME/rota, ~/.local/state/rota.
[[nodiscard]] std::string default_data_directory();

}  // namespace rota::broker

#include "tests/crash/preload/settings.h"

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <string_view>

namespace rota::crash {
namespace {

[[noreturn]] void refuse(const char* name, const char* value) {
  std::fprintf(stderr, "librota-faults: %s cannot be '%s'\n", name, value);
  std::_Exit(64);
}

std::string text(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? std::string() : std::string(value);
}

std::uint64_t number(const char* name) {
  const char* value = std::getenv(name);
  if (value == nullptr) return 0;
  char* end = nullptr;
  const std::uint64_t read = std::strtoull(value, &end, 10);
  if (end == value || *end != '\0') refuse(name, value);
  return read;
}

Fault fault(const char* name) {
  Fault fault;
  const char* value = std::getenv(name);
  if (value == nullptr) return fault;
  char* rest = nullptr;
  fault.at = std::strtoull(value, &rest, 10);
  const std::string_view what(rest);
  constexpr std::string_view kStall = " stall ";
  if (what == " EIO" || what == " ENOSPC") {
    fault.what = Fault::What::error;
    fault.error = what == " EIO" ? EIO : ENOSPC;
  } else if (what == " short") {
    fault.what = Fault::What::cut_short;
  } else if (what.starts_with(kStall)) {
    fault.what = Fault::What::stall;
    fault.stall_ms = std::strtoll(rest + kStall.size(), nullptr, 10);
  } else {
    refuse(name, value);
  }
  return fault;
}

}  // namespace

Settings Settings::from_environment() {
  Settings settings;
  settings.directory = text("ROTA_FAULT_DIRECTORY");
  settings.counters = text("ROTA_FAULT_COUNTERS");
  settings.journal = text("ROTA_FAULT_JOURNAL");
  settings.store_kill = number("ROTA_FAULT_STORE_KILL");
  settings.disk_kill = number("ROTA_FAULT_DISK_KILL");
  settings.sync = fault("ROTA_FAULT_SYNC");
  settings.write = fault("ROTA_FAULT_WRITE");
  return settings;
}

}  // namespace rota::crash

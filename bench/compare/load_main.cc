// Puts one load on one queue server that is running and empty, and prints what came of it as a JSON object on one line.
// bench/compare/*.py starts the servers and calls it; see docs/performance.md.

#include <sys/prctl.h>

#include <charconv>
#include <cstdio>
#include <cstring>
#include <string_view>

#include "bench/compare/failure.h"
#include "bench/compare/server_usage.h"
#include "bench/compare/workload.h"

namespace {

using rota::compare::Load;

struct Arguments {
  Load load;
  std::string processes;   // of the server, separated by commas
  std::string sync_watch;  // the file that the server's preloaded watch maps
};

template <typename Number>
bool parse_number(std::string_view text, Number& to) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), to);
  return error == std::errc{} && end == text.data() + text.size();
}

bool set_option(Arguments& to, std::string_view name, std::string_view value) {
  Load& load = to.load;
  const std::pair<std::string_view, std::string*> texts[] = {
      {"--workload", &load.workload},     {"--peer", &load.peer},
      {"--address", &load.address},       {"--workers-endpoint", &load.workers_endpoint},
      {"--durability", &load.durability}, {"--server-pids", &to.processes},
      {"--sync-watch", &to.sync_watch}};
  for (const auto& [option, target] : texts) {
    if (name == option) {
      *target = value;
      return true;
    }
  }
  const std::pair<std::string_view, std::uint64_t*> numbers[] = {
      {"--jobs", &load.jobs},       {"--payload", &load.payload},
      {"--batch", &load.batch},     {"--window", &load.window},
      {"--rate", &load.rate},       {"--workers", &load.workers},
      {"--clients", &load.clients}, {"--unacknowledged", &load.unacknowledged}};
  for (const auto& [option, target] : numbers) {
    if (name == option) return parse_number(value, *target);
  }
  if (name == "--port") return parse_number(value, load.port);
  if (name == "--keep-ms") return parse_number(value, load.keep_ms);
  if (name == "--scattered") {
    load.scattered = value == "1";
    return value == "0" || value == "1";
  }
  return false;
}

bool is_sound(const Load& load) {
  const bool is_known =
      load.workload == "lifecycle" || load.workload == "backlog" || load.workload == "latency" || load.workload == "plain";
  return is_known && load.jobs > 0 && load.jobs <= UINT32_MAX && load.batch > 0 && load.window >= load.batch &&
         load.workers > 0 && load.clients > 0 && load.clients <= load.jobs;
}

}  // namespace

int main(int argc, char** argv) {
  Arguments arguments;
  bool understood = argc % 2 == 1;
  for (int i = 1; understood && i + 1 < argc; i += 2) understood = set_option(arguments, argv[i], argv[i + 1]);
  if (!understood || !is_sound(arguments.load)) {
    std::fputs(
        "usage: rota-compare-load --workload lifecycle|backlog|latency|plain --peer NAME --address A [--port N]\n"
        "         [--workers-endpoint E] [--durability memory|fsync] [--keep-ms N] [--jobs N] [--payload N] [--batch N]\n"
        "         [--window N (not below the batch)] [--unacknowledged N] [--rate N] [--workers N] [--clients N]\n"
        "         [--scattered 0|1] [--server-pids A,B] [--sync-watch FILE]\n",
        stderr);
    return 64;
  }
  ::prctl(PR_SET_TIMERSLACK, 1);  // a schedule is kept to the microsecond
  rota::compare::Server server;
  server.processes = rota::compare::parse_processes(arguments.processes);
  if (!arguments.sync_watch.empty()) {
    server.syncs = rota::compare::map_sync_record(arguments.sync_watch.c_str());
    if (server.syncs == nullptr) rota::compare::fail("cannot map " + arguments.sync_watch);
  }
  const Load& load = arguments.load;
  const std::string figures =
      load.workload == "plain" ? rota::compare::run_plain(load, server) : rota::compare::run_workload(load, server);
  std::printf("%s\n", figures.c_str());
  return 0;
}

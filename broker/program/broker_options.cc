#include "broker/program/broker_options.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <cstdlib>
#include <string_view>

#include "common/net/endpoint.h"

namespace rota::broker {
namespace {

std::string environment(const char* name) {
  const char* value = std::getenv(name);  // NOLINT(concurrency-mt-unsafe): before any thread
  return value == nullptr ? std::string() : std::string(value);
}

void declare(program::Options& options, BrokerOptions& into) {
  using program::Options;
  options.add({.name = "data",
               .placeholder = "DIR",
               .help = "Where jobs are kept [$STATE_DIRECTORY, else $XDG_STATE_HOME/rota, else ~/.local/state/rota]"},
              Options::text(into.data));
  options.add({.name = "clients", .placeholder = "ENDPOINT", .help = "Where clients connect [tcp://127.0.0.1:5555]"},
              Options::text(into.clients));
  options.add({.name = "workers", .placeholder = "ENDPOINT", .help = "Where workers connect [tcp://127.0.0.1:5556]"},
              Options::text(into.workers));
  options.add({.name = "http", .placeholder = "HOST:PORT|off", .help = "Health and metrics [127.0.0.1:5580]"},
              Options::text(into.http));
  options.add({.name = "store", .placeholder = "lmdb|memory", .help = "How jobs are kept [lmdb]"},
              Options::choice(into.store, {"lmdb", "memory"}));
  options.add({.name = "memory-limit", .placeholder = "SIZE", .help = "For memory jobs and what is not synced yet [1GiB]"},
              Options::size(into.memory_limit, limits::MiB));
  options.add({.name = "store-limit", .placeholder = "SIZE", .help = "Largest store on disk [64GiB]"},
              Options::size(into.store_limit, limits::kMinStoreLimit, limits::kStoreMapSize));
  options.add({.name = "finished-limit", .placeholder = "SIZE", .help = "Finished jobs kept on disk at most [4GiB]"},
              Options::size(into.finished_limit, limits::MiB));
  options.add({.name = "max-payload", .placeholder = "SIZE", .help = "Largest payload of a job [1MiB]"},
              Options::size(into.max_payload, 1, limits::kLargestMaxPayload));
  options.add({.name = "lease", .placeholder = "DUR", .help = "A worker silent for this long has lost its jobs [15s]"},
              Options::duration(into.lease, limits::kMinLease));
  options.add({.name = "reattach",
               .placeholder = "DUR",
               .help = "After a restart, workers have this long to come back [two leases]"},
              Options::duration(into.reattach, limits::kMinLease));
  options.add({.name = "dedup-window", .placeholder = "DUR", .help = "Finished ids are known at least this long [10m]"},
              Options::duration(into.dedup_window, limits::kMinDedupWindow));
  options.add(
      {.name = "advertise", .placeholder = "HOST", .help = "The host that peers are told to use [the one that is bound]"},
      Options::text(into.advertise));
  options.flag({.name = "insecure", .help = "Allow addresses that other machines reach, without keys"}, into.insecure);
}

// Subcommands for the store of a broker, which take no other option of the broker than --data.
struct StoreCommands {
  CLI::App* check = nullptr;
  CLI::App* backup = nullptr;
};

StoreCommands declare_store_commands(CLI::App& app, BrokerOptions& into) {
  StoreCommands commands;
  commands.check = app.add_subcommand("check", "Verify the store of a stopped broker and report");
  commands.check->footer(
      "Reads every record of --data DIR and changes nothing. Exit 0: sound; 1: damage was found, and is listed;\n"
      "75: a broker has the directory; 2: it holds no store.");
  commands.backup = app.add_subcommand("backup", "Copy a store into TARGET, also while its broker runs");
  commands.backup->add_option("TARGET", into.target, "A new or empty directory")->required()->type_name("");
  commands.backup->footer(
      "Copies --data DIR. The copy holds every job acknowledged before it began; start a broker on it to restore.\n"
      "Exit 64: TARGET holds a store already; 75: its disk is full.");
  for (CLI::App* command : {commands.check, commands.backup}) {
    command->fallthrough();  // --data is taken behind the command's name as well
  }
  app.require_subcommand(0, 1);
  return commands;
}

// An option of serving that was given to a command, or "".
std::string option_of_serving(const CLI::App& app) {
  constexpr std::array<std::string_view, 4> kForAll{"--data", "--config", "--log-level", "--log-format"};
  for (const CLI::Option* option : app.get_options()) {
    const std::string name = option->get_name();
    if (option->count() > 0 && std::find(kForAll.begin(), kForAll.end(), name) == kForAll.end()) return name;
  }
  return {};
}

// "127.0.0.1:5580", "[::1]:0".
bool split_http(const std::string& text, BrokerOptions& into) {
  const auto parts = net::parse_tcp_endpoint("tcp://" + text);
  if (!parts || parts->host.empty()) return false;
  into.http_host = parts->host;
  into.http_port = parts->port;
  if (into.http_host.starts_with('[') && into.http_host.ends_with(']')) {
    into.http_host = into.http_host.substr(1, into.http_host.size() - 2);
  }
  return true;
}

std::optional<int> check(const program::Options& options, BrokerOptions& into) {
  for (const auto& [name, endpoint] : {std::pair<std::string_view, const std::string&>{"--clients", into.clients},
                                       std::pair<std::string_view, const std::string&>{"--workers", into.workers}}) {
    if (!net::parse_tcp_endpoint(endpoint)) {
      return options.usage_error(std::string(name) + ": '" + endpoint +
                                 "' is not an endpoint; give one like tcp://127.0.0.1:5555 (a port of * takes a free one)");
    }
    if (!into.insecure && !net::is_loopback_endpoint(endpoint)) {
      return options.usage_error(std::string(name) + ": " + endpoint +
                                 " can be reached from other machines, and this broker checks no keys: anyone there could "
                                 "run jobs; bind a loopback address, or say --insecure on a network you trust");
    }
  }
  if (into.http != "off") {
    if (!split_http(into.http, into)) {
      return options.usage_error("--http: '" + into.http + "' is not HOST:PORT; give one like 127.0.0.1:5580, or 'off'");
    }
    if (!into.insecure && !net::is_loopback_endpoint("tcp://" + into.http)) {
      return options.usage_error("--http: " + into.http +
                                 " can be reached from other machines; bind a loopback address, or say --insecure");
    }
  }
  if (into.reattach == Millis{0}) into.reattach = 2 * into.lease;
  if (into.reattach < into.lease) {
    return options.usage_error("--reattach must not be shorter than --lease: workers need that long to come back");
  }
  return std::nullopt;
}

}  // namespace

std::string default_data_directory() {
  // systemd may name several; the first is the unit's own.
  if (const std::string state = environment("STATE_DIRECTORY"); !state.empty()) return state.substr(0, state.find(':'));
  if (const std::string state = environment("XDG_STATE_HOME"); !state.empty()) return state + "/rota";
  if (const std::string home = environment("HOME"); !home.empty()) return home + "/.local/state/rota";
  return {};
}

std::optional<int> read_options(program::Options& options, int argc, const char* const* argv, BrokerOptions& into) {
  declare(options, into);
  const StoreCommands commands = declare_store_commands(options.app(), into);
  if (const std::optional<int> exit = options.parse(argc, argv)) return exit;
  if (commands.check->parsed()) into.task = Task::check;
  if (commands.backup->parsed()) into.task = Task::backup;
  if (const std::string other = into.task == Task::serve ? "" : option_of_serving(options.app()); !other.empty()) {
    return options.usage_error(other + " has no meaning for " + (into.task == Task::check ? "check" : "backup") +
                               ", which takes --data; see rota-broker --help");
  }
  into.log_level = options.log_level();
  into.log_format = options.log_format();
  if (into.data.empty()) into.data = default_data_directory();
  if (into.data.empty() && (into.store == "lmdb" || into.task != Task::serve)) {
    return options.usage_error(
        "no directory for jobs: neither STATE_DIRECTORY nor XDG_STATE_HOME nor HOME is set; give --data");
  }
  return into.task == Task::serve ? check(options, into) : std::nullopt;
}

}  // namespace rota::broker

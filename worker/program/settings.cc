#include "worker/program/settings.h"

#include <algorithm>
#include <charconv>
#include <string_view>
#include <thread>

#include "common/base/names.h"
#include "common/net/socket.h"
#include "common/program/version.h"
#include "worker/program/words.h"

namespace rota::worker {
namespace {

using program::Options;

Error bad(std::string message) { return Error{Code::bad_message, std::move(message)}; }

Status take_broker(std::string_view text, WorkerOptions& into) {
  const auto tcp = net::parse_tcp_endpoint(text);
  if ((!tcp || tcp->port == 0) && !text.starts_with("ipc://")) return bad("give an endpoint like tcp://host:5556");
  if (into.brokers.size() == limits::kMaxBrokersPerWorker) {
    return bad("give at most " + std::to_string(limits::kMaxBrokersPerWorker) + " brokers");
  }
  if (std::find(into.brokers.begin(), into.brokers.end(), text) == into.brokers.end()) into.brokers.emplace_back(text);
  return {};
}

Status take_queue(std::string_view text, WorkerOptions& into) {
  const std::size_t equals = text.find('=');
  const std::string_view name = text.substr(0, equals);
  std::uint32_t weight = 1;
  bool good = is_valid_queue_name(name);
  if (equals != std::string_view::npos) {
    const std::string_view number = text.substr(equals + 1);
    const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), weight);
    good = good && error == std::errc{} && end == number.data() + number.size() && weight >= 1 &&
           weight <= limits::kMaxQueueWeight;
  }
  if (!good) {
    return bad("give NAME or NAME=WEIGHT, a name of 1 to 64 of A-Z a-z 0-9 . _ - and a weight from 1 to " +
               std::to_string(limits::kMaxQueueWeight));
  }
  for (const auto& [known, ignored] : into.queues) {
    if (known == name) return bad("give each queue once");
  }
  if (into.queues.size() == limits::kMaxQueuesPerWorker) {
    return bad("give at most " + std::to_string(limits::kMaxQueuesPerWorker) + " queues");
  }
  into.queues.emplace_back(name, weight);
  return {};
}

Status take_label(std::string_view text, WorkerOptions& into) {
  const std::size_t equals = text.find('=');
  if (equals == std::string_view::npos || equals == 0 || !is_valid_text(text, limits::kMaxKey))
    return bad("give KEY=VALUE");
  for (const auto& [known, ignored] : into.labels) {
    if (known == text.substr(0, equals)) return bad("give each label once");
  }
  if (into.labels.size() == limits::kMaxLabels)
    return bad("give at most " + std::to_string(limits::kMaxLabels) + " labels");
  into.labels.emplace_back(text.substr(0, equals), text.substr(equals + 1));
  return {};
}

Status take_command(std::string_view text, Settings& into) {
  const std::size_t equals = text.find('=');
  const std::string_view name = text.substr(0, equals);
  if (equals == std::string_view::npos || !is_valid_type_name(name)) {
    return bad("give NAME=COMMANDLINE, a name of 1 to 64 of A-Z a-z 0-9 . _ -");
  }
  if (into.commands.size() + 1 == limits::kMaxTypesPerWorker) {
    return bad("give at most " + std::to_string(limits::kMaxTypesPerWorker - 1) + " commands");
  }
  for (const auto& [known, ignored] : into.commands) {
    if (known == name) return bad("give each command name once");
  }
  Result<std::vector<std::string>> words = split_words(text.substr(equals + 1));
  if (!words) return bad("give NAME=COMMANDLINE with a complete command line: " + words.error().message);
  into.commands.emplace_back(name, std::move(words).value());
  return {};
}

Status take_name(std::string_view text, WorkerOptions& into) {
  if (!is_valid_worker_name(text)) return bad("give 1 to 128 printable ASCII characters without space");
  into.name = text;
  return {};
}

}  // namespace

void declare_settings(Options& options, Settings& into) {
  WorkerOptions& worker = into.worker;
  options.add({.scope = nullptr,
               .name = "broker",
               .placeholder = "ENDPOINT",
               .help = "A broker's endpoint for workers; may be given several times [tcp://127.0.0.1:5556]",
               .environment = "ROTA_WORKER_BROKER",
               .repeatable = true},
              [&worker](std::string_view text) { return take_broker(text, worker); });
  options.add({.scope = nullptr,
               .name = "queue",
               .placeholder = "NAME[=WEIGHT]",
               .help = "A queue to serve; a heavier one is served more often [default]",
               .environment = {},
               .repeatable = true},
              [&worker](std::string_view text) { return take_queue(text, worker); });
  options.add({.scope = nullptr,
               .name = "slots",
               .placeholder = "N",
               .help = "Jobs at a time [number of cores]",
               .environment = {}},
              [&worker](std::string_view text) {
                std::int64_t number = 0;
                Status taken = Options::integer(number, 1, limits::kMaxSlots)(text);
                if (taken) worker.slots = static_cast<std::uint32_t>(number);
                return taken;
              });
  options.add({.scope = nullptr,
               .name = "name",
               .placeholder = "NAME",
               .help = "Unique name [host name and a random suffix]",
               .environment = {}},
              [&worker](std::string_view text) { return take_name(text, worker); });
  options.add({.scope = nullptr,
               .name = "label",
               .placeholder = "K=V",
               .help = "A label, shown by 'rota workers'",
               .environment = {},
               .repeatable = true},
              [&worker](std::string_view text) { return take_label(text, worker); });
  options.flag({.scope = nullptr,
                .name = "exec",
                .placeholder = {},
                .help = "Run any command that clients submit",
                .environment = {}},
               into.exec);
  options.add({.scope = nullptr,
               .name = "command",
               .placeholder = "NAME=COMMANDLINE",
               .help = "Run this command for jobs of type NAME, with the payload on stdin",
               .environment = {},
               .repeatable = true},
              [&into](std::string_view text) { return take_command(text, into); });
  options.add({.scope = nullptr,
               .name = "max-output",
               .placeholder = "SIZE",
               .help = "Keep this much of a command's stdout [1MiB]",
               .environment = {}},
              Options::size(into.max_output, 0, limits::kLargestMaxPayload));
  options.add({.scope = nullptr,
               .name = "drain-timeout",
               .placeholder = "DUR",
               .help = "Kill what still runs this long after a drain began [never]",
               .environment = {}},
              Options::duration(worker.drain_timeout));
}

std::optional<int> complete_settings(const Options& options, Settings& settings) {
  WorkerOptions& worker = settings.worker;
  if (!settings.exec && settings.commands.empty()) {
    return options.usage_error(
        "nothing to serve; give --exec to run any submitted command, or --command NAME=COMMANDLINE for named ones");
  }
  for (const auto& [name, argv] : settings.commands) {
    if (settings.exec && name == kExecType) {
      return options.usage_error("--command exec=… and --exec serve the same type; give one of them");
    }
  }
  if (worker.brokers.empty()) worker.brokers.emplace_back("tcp://127.0.0.1:5556");
  if (worker.queues.empty()) worker.queues.emplace_back(kDefaultQueue, 1);
  worker.software = "rota " + std::string{program::kVersion};
  return std::nullopt;
}

}  // namespace rota::worker

// rota-worker: takes jobs from a broker and runs their commands.
#include <spdlog/spdlog.h>

#include <algorithm>
#include <cstdio>
#include <memory>
#include <string>
#include <thread>

#include "common/base/names.h"
#include "common/program/exit_code.h"
#include "common/program/log.h"
#include "common/program/options.h"
#include "common/program/standard_streams.h"
#include "worker/identity.h"
#include "worker/program/settings.h"
#include "worker/program/signals.h"
#include "worker/worker.h"

namespace {

namespace worker = rota::worker;
namespace program = rota::program;
using rota::Code;
using rota::kExecType;
using rota::Result;
using rota::Status;
using worker::Ending;

void print_ready(const worker::WorkerOptions& options, const std::string& name, const std::string& broker) {
  std::string queues;
  for (const auto& [queue, weight] : options.queues) {
    if (!queues.empty()) queues += ',';
    queues += queue;
    if (weight != 1) queues.append("=").append(std::to_string(weight));
  }
  std::printf("rota-worker ready name=%s broker=%s queues=%s slots=%u\n", name.c_str(), broker.c_str(), queues.c_str(),
              options.slots);
  std::fflush(stdout);
}

worker::Observer make_observer(const std::shared_ptr<spdlog::logger>& log, const worker::WorkerOptions& options,
                               const std::string& name) {
  worker::Observer observer;
  // By value: a thread that a stuck job holds may outlive main()'s locals.
  observer.registered = [options, name](const std::string& broker) { print_ready(options, name, broker); };
  observer.waiting = [log](const std::string& broker) { log->warn("no broker answers at {} yet; waiting for it", broker); };
  observer.lost_contact = [log](const std::string& broker, const std::string& why) {
    log->warn("lost contact with the broker at {}: {}; running jobs go on", broker, why);
  };
  observer.back = [log](const std::string& broker) { log->info("back in contact with the broker at {}", broker); };
  observer.trouble = [log](const std::string& broker, const std::string& what) { log->warn("{}: {}", broker, what); };
  return observer;
}

int exit_for(const Ending& ending) {
  switch (ending.kind) {
    case Ending::Kind::drained:
      return program::kExitOk;
    case Ending::Kind::killed:
      return program::kExitJobFailed;
    case Ending::Kind::broken:
      break;
    case Ending::Kind::refused:
      break;
  }
  std::fprintf(stderr, "rota-worker: %s\n", ending.message.c_str());
  if (ending.kind == Ending::Kind::broken) return program::kExitJobFailed;
  // A name that is taken is free again once its holder has left.
  return ending.code == Code::conflict ? program::kExitTemporary : program::exit_for(ending.code);
}

int serve(worker::Settings& settings, const program::Options& options) {
  const auto log = program::make_logger("rota-worker", options.log_level(), options.log_format());
  if (settings.worker.name.empty()) settings.worker.name = worker::default_name();
  settings.worker.observer = make_observer(log, settings.worker, settings.worker.name);
  worker::Worker worker{settings.worker};
  if (settings.exec) worker.run_commands(std::string{kExecType}, {}, settings.max_output);
  for (const auto& [name, argv] : settings.commands) worker.run_commands(name, argv, settings.max_output);
  if (const Status started = worker.start_spawner(); !started) {
    std::fprintf(stderr, "rota-worker: %s\n", started.error().message.c_str());
    return program::kExitInternal;
  }
  int signals = 0;
  const worker::SignalWatch watch{[&] {
    if (++signals == 1) {
      log->info("draining: running jobs finish, unstarted ones go back; a second signal kills the running jobs");
      worker.drain();
    } else {
      log->warn("killing the running jobs");
      worker.kill();
    }
  }};
  const Result<Ending> ending = worker.run();
  if (!ending) {
    std::fprintf(stderr, "rota-worker: %s\n", ending.error().message.c_str());
    return program::exit_for(ending.error().code);
  }
  return exit_for(*ending);
}

}  // namespace

int main(int argc, char** argv) {
  program::open_standard_streams();
  worker::block_signals();
  worker::Settings settings;
  settings.worker.slots = std::max(1U, std::thread::hardware_concurrency());
  program::Options options{"rota-worker", "Takes jobs from a Rota broker and runs their commands."};
  worker::declare_settings(options, settings);
  if (const auto code = options.parse(argc, argv)) return *code;
  if (const auto code = worker::complete_settings(options, settings)) return *code;
  return serve(settings, options);
}

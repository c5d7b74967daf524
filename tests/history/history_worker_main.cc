// history-worker: serves the jobs of history-client, and logs every run before and after.
#include <pthread.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <string>
#include <thread>
#include <vector>

#include "common/program/exit_code.h"
#include "common/program/options.h"
#include "tests/history/history_log.h"
#include "tests/history/job_plan.h"
#include "worker/worker.h"

namespace {

namespace history = rota::history;
namespace program = rota::program;
namespace worker = rota::worker;
using rota::JobId;
using rota::Millis;
using rota::Result;
using rota::Status;

struct Settings {
  std::vector<std::string> brokers;
  std::string directory = ".";
  std::string name = "worker";
  std::vector<std::string> queues;
  std::int64_t slots = 4;
};

program::Options::Taker each(std::vector<std::string>& into) {
  return [&into](std::string_view text) {
    into.emplace_back(text);
    return Status{};
  };
}

std::optional<int> read(program::Options& options, int argc, char** argv, Settings& into) {
  options.add({.name = "broker",
               .placeholder = "ENDPOINT",
               .help = "The broker's, for workers",
               .environment = "",
               .repeatable = true},
              each(into.brokers));
  options.add({.name = "directory", .placeholder = "DIR", .help = "Where the history is written [.]", .environment = ""},
              program::Options::text(into.directory));
  options.add({.name = "name", .placeholder = "NAME", .help = "The worker's [worker]", .environment = ""},
              program::Options::text(into.name));
  options.add(
      {.name = "queue", .placeholder = "NAME", .help = "Serve this queue [default]", .environment = "", .repeatable = true},
      each(into.queues));
  options.add({.name = "slots", .placeholder = "N", .help = "Jobs at a time [4]", .environment = ""},
              program::Options::integer(into.slots, 1, rota::limits::kMaxSlots));
  if (const std::optional<int> exit = options.parse(argc, argv)) return exit;
  if (into.brokers.empty()) return options.usage_error("--broker is missing; name the broker's endpoint for workers");
  if (into.queues.empty()) into.queues.emplace_back("default");
  return std::nullopt;
}

worker::Outcome finish(const history::Log& log, const worker::Job& job, const char* outcome, worker::Outcome what) {
  log.write(history::Line("done")
                .text("id", to_string(job.id))
                .number("attempt", job.attempt)
                .text("outcome", outcome)
                .text("result", what.result.empty() ? "" : history::digest(what.result)));
  return what;
}

// Works as long as the payload says. False: it was asked to stop.
bool work(const worker::Job& job, const worker::Context& context) {
  const auto end = std::chrono::steady_clock::now() + Millis{history::milliseconds_in(job.payload)};
  while (std::chrono::steady_clock::now() < end) {
    if (context.stop_requested()) return false;
    std::this_thread::sleep_for(Millis{5});
  }
  return true;
}

worker::Outcome run(const history::Log& log, const std::string& name, const worker::Job& job, worker::Context& context) {
  const std::string payload = history::digest(job.payload);
  log.write(history::Line("run").text("id", to_string(job.id)).number("attempt", job.attempt).text("payload", payload));
  if (job.type == history::kLong && !work(job, context)) {
    return finish(log, job, "cancelled", worker::Outcome::ended(rota::AttemptEnd::cancelled));
  }
  if (job.type == history::kFlaky && job.attempt == 1) {
    return finish(log, job, "failed", worker::Outcome::failure("FLAKY", "fails at its first attempt"));
  }
  if (job.type == history::kDoomed) {
    return finish(log, job, "rejected", worker::Outcome::rejection("DOOMED", "never succeeds"));
  }
  // Which run it was stands in the result, so that one cannot be taken for the other.
  return finish(log, job, "succeeded",
                worker::Outcome::success(payload + " " + name + " " + std::to_string(::getpid()) + " " +
                                         std::to_string(job.attempt)));
}

}  // namespace

int main(int argc, char** argv) {
  Settings settings;
  program::Options options("history-worker", "Serves the jobs of history-client and logs every run.");
  if (const std::optional<int> exit = read(options, argc, argv, settings)) return *exit;
  const Result<history::Log> log = history::Log::open(settings.directory, "worker", settings.name);
  if (!log) {
    std::fprintf(stderr, "history-worker: %s\n", log.error().message.c_str());
    return program::kExitInternal;
  }

  sigset_t signals;
  sigemptyset(&signals);
  for (const int number : {SIGINT, SIGTERM, SIGUSR1}) sigaddset(&signals, number);
  ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);

  worker::WorkerOptions wanted;
  wanted.brokers = settings.brokers;
  for (const std::string& queue : settings.queues) wanted.queues.emplace_back(queue, 1);
  wanted.slots = static_cast<std::uint32_t>(settings.slots);
  wanted.name = settings.name;
  wanted.software = "history-worker";
  wanted.observer.registered = [&](const std::string&) {
    log->write(history::Line("session").text("what", "registered"));
    std::printf("history-worker ready name=%s pid=%d\n", settings.name.c_str(), ::getpid());
    std::fflush(stdout);
  };
  wanted.observer.lost_contact = [&](const std::string&, const std::string& why) {
    log->write(history::Line("session").text("what", "lost").text("why", why));
  };
  wanted.observer.back = [&](const std::string&) { log->write(history::Line("session").text("what", "back")); };
  wanted.observer.trouble = [&](const std::string&, const std::string& what) {
    log->write(history::Line("session").text("what", "trouble").text("why", what));
  };
  worker::Worker work_on(std::move(wanted));
  for (const char* type : {history::kShort, history::kLong, history::kFlaky, history::kDoomed}) {
    work_on.handle(
        type, [&](const worker::Job& job, worker::Context& context) { return run(*log, settings.name, job, context); });
  }
  std::thread waits_for_signal([&] {
    int signal = 0;
    ::sigwait(&signals, &signal);
    if (signal != SIGUSR1) work_on.drain();
  });
  const Result<worker::Ending> ended = work_on.run();
  ::pthread_kill(waits_for_signal.native_handle(), SIGUSR1);
  waits_for_signal.join();
  if (ended && ended->kind == worker::Ending::Kind::drained) return program::kExitOk;
  std::fprintf(stderr, "history-worker: %s\n", ended ? ended->message.c_str() : ended.error().message.c_str());
  return program::kExitInternal;
}

// history-client: submits jobs and waits for their ends, or reads every job of a history at last; logs all of it.
#include <sys/signalfd.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <optional>
#include <string>
#include <thread>

#include "client/client.h"
#include "common/program/exit_code.h"
#include "common/program/options.h"
#include "tests/history/final_reading.h"
#include "tests/history/history_log.h"
#include "tests/history/load_client.h"

namespace {

namespace client = rota::client;
namespace history = rota::history;
namespace program = rota::program;
using rota::Error;
using rota::Millis;
using rota::Result;
using rota::Status;
using rota::Steady;

struct Settings {
  client::ClientOptions client;
  std::string directory = ".";
  std::string name = "client";
  bool read = false;
  Millis patience{120'000};
  history::LoadSettings load;
};

program::Options::Taker count(std::uint64_t& into) { return program::Options::size(into); }

program::Options::Taker share(std::uint64_t& into) { return program::Options::size(into, 0, 1000); }

void declare_load(program::Options& options, history::LoadSettings& load) {
  const auto number = [&](const char* name, const char* help, std::uint64_t& into) {
    options.add({.name = name, .placeholder = "N", .help = help, .environment = ""}, count(into));
  };
  const auto per_mille = [&](const char* name, const char* help, std::uint64_t& into) {
    options.add(
        {.name = name, .placeholder = "N", .help = std::string(help) + ", of a thousand jobs [0]", .environment = ""},
        share(into));
  };
  options.add({.name = "queue",
               .placeholder = "NAME",
               .help = "Submit to this queue; several in turn [default]",
               .environment = "",
               .repeatable = true},
              [&load](std::string_view text) {
                load.queues.emplace_back(text);
                return Status{};
              });
  number("jobs", "Submit so many, 0: until SIGTERM [0]", load.jobs);
  number("rate", "Jobs a second, 0: as the window allows [0]", load.rate);
  number("batch", "Jobs submitted together [64]", load.batch);
  number("window", "Jobs without an end at most [2000]", load.window);
  per_mille("cancels", "Cancel", load.cancels);
  per_mille("longs", "Jobs of up to --long-ms", load.mix.longs);
  per_mille("flaky", "Jobs that fail at their first attempt", load.mix.flaky);
  per_mille("doomed", "Jobs that are rejected", load.mix.doomed);
  per_mille("delayed", "Jobs with a delay", load.mix.delayed);
  per_mille("urgent", "Jobs with another priority", load.mix.urgent);
  per_mille("large", "Jobs with a payload of up to --large-bytes", load.mix.large);
  per_mille("keyed", "Jobs with one of 64 keys", load.mix.keyed);
  number("long-ms", "Longest run of a long job, in milliseconds [3000]", load.mix.long_ms);
  number("large-bytes", "Largest payload [65536]", load.mix.large_bytes);
  options.add({.name = "keep",
               .placeholder = "DUR",
               .help = "Keep finished jobs so long [the product's default]",
               .environment = ""},
              program::Options::duration(load.mix.keep));
}

std::optional<int> read_settings(program::Options& options, int argc, char** argv, Settings& into) {
  into.client.timeout = std::chrono::seconds{20};
  into.client.software = "history-client";
  options.add({.name = "broker", .placeholder = "ENDPOINT", .help = "The broker's, for clients", .environment = ""},
              program::Options::text(into.client.endpoint));
  options.add({.name = "directory", .placeholder = "DIR", .help = "Where the history is written [.]", .environment = ""},
              program::Options::text(into.directory));
  options.add({.name = "name",
               .placeholder = "NAME",
               .help = "What earlier processes of this name left is taken over [client]",
               .environment = ""},
              program::Options::text(into.name));
  options.add({.name = "patience",
               .placeholder = "DUR",
               .help = "Wait so long for the last ends, or answers [2m]",
               .environment = ""},
              program::Options::duration(into.patience));
  options.flag(
      {.name = "read", .help = "Submit nothing; read every job of all clients in the directory", .environment = ""},
      into.read);
  declare_load(options, into.load);
  if (const std::optional<int> exit = options.parse(argc, argv)) return exit;
  if (into.load.queues.empty()) into.load.queues.emplace_back("default");
  if (into.load.batch == 0 || into.load.window < into.load.batch) {
    return options.usage_error("--batch is at least 1 and at most --window");
  }
  return std::nullopt;
}

int fail(const Error& error) {
  std::fprintf(stderr, "history-client: %s: %s\n", std::string(rota::code_name(error.code)).c_str(), error.message.c_str());
  return program::kExitInternal;
}

// SIGTERM and SIGINT, looked at between two steps.
class StopSignal {
 public:
  StopSignal() {
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);
    fd_ = ::signalfd(-1, &signals, SFD_NONBLOCK | SFD_CLOEXEC);
  }
  ~StopSignal() { ::close(fd_); }
  StopSignal(const StopSignal&) = delete;
  StopSignal& operator=(const StopSignal&) = delete;

  [[nodiscard]] bool came() {
    signalfd_siginfo info{};
    if (::read(fd_, &info, sizeof info) == sizeof info) came_ = true;
    return came_;
  }

 private:
  int fd_ = -1;
  bool came_ = false;
};

// The broker may be away for a while.
Result<client::Client> connect(const Settings& settings, StopSignal& stop) {
  while (true) {
    Result<client::Client> connected = client::Client::connect(settings.client);
    if (connected || stop.came()) return connected;
  }
}

int read_at_last(const Settings& settings, const history::Log& log) {
  const Result<history::KnownJobs> known = history::read_known_jobs(settings.directory, "client-");
  if (!known) return fail(known.error());
  const Steady until = rota::read_clocks().steady + settings.patience;
  const Result<history::ReadCounts> counts = history::read_all(settings.client, log, *known, until);
  if (!counts) return fail(counts.error());
  std::printf("history-client read jobs=%llu ended=%llu unknown=%llu\n", static_cast<unsigned long long>(counts->jobs),
              static_cast<unsigned long long>(counts->ended), static_cast<unsigned long long>(counts->unknown));
  return program::kExitOk;
}

int load(const Settings& settings, const history::Log& log, StopSignal& stop) {
  const Result<history::KnownJobs> known = history::read_known_jobs(settings.directory, "client-" + settings.name + "-");
  if (!known) return fail(known.error());
  Result<client::Client> connected = connect(settings, stop);
  if (!connected) return stop.came() ? program::kExitTemporary : fail(connected.error());
  history::LoadClient client(*connected, log, settings.load);
  if (Status adopted = client.adopt(*known); !adopted) return fail(adopted.error());
  std::printf("history-client ready name=%s pid=%d adopted=%zu\n", settings.name.c_str(), ::getpid(), client.open());
  std::fflush(stdout);
  while (!stop.came() && !client.all_submitted()) {
    if (Status turned = client.turn(true); !turned) return fail(turned.error());
  }
  const Steady until = rota::read_clocks().steady + settings.patience;
  while (client.open() > 0 && rota::read_clocks().steady < until) {
    if (Status turned = client.turn(false); !turned) return fail(turned.error());
  }
  std::printf("history-client done submitted=%llu open=%zu\n", static_cast<unsigned long long>(client.submitted()),
              client.open());
  return client.open() == 0 ? program::kExitOk : program::kExitTimedOut;
}

}  // namespace

int main(int argc, char** argv) {
  Settings settings;
  program::Options options("history-client", "Submits jobs, waits for their ends, and logs what it asked and was told.");
  if (const std::optional<int> exit = read_settings(options, argc, argv, settings)) return *exit;
  StopSignal stop;
  const Result<history::Log> log =
      history::Log::open(settings.directory, settings.read ? "reader" : "client", settings.name);
  if (!log) return fail(log.error());
  settings.client.on_contact_lost = [&log](const std::string& why) {
    log->write(history::Line("contact").text("what", "lost").text("why", why));
  };
  settings.client.on_contact_back = [&log] { log->write(history::Line("contact").text("what", "back")); };
  return settings.read ? read_at_last(settings, *log) : load(settings, *log, stop);
}

#include "client/cli/bench_command.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "client/cli/bench_worker.h"
#include "client/cli/bench_workers.h"
#include "client/cli/job_json.h"
#include "client/cli/job_text.h"
#include "client/cli/option_takers.h"
#include "client/cli/session.h"
#include "client/cli/text_style.h"

namespace rota::cli {

namespace {

constexpr std::int64_t kMostJobs = 100'000'000;
constexpr std::int64_t kManyJobs = 200'000;  // submit, lifecycle
constexpr std::int64_t kSomeJobs = 10'000;   // latency: one at a time
constexpr const char* kDefaultWorkersEndpoint = "tcp://127.0.0.1:5556";

program::Options::Spec option(CLI::App* scope, std::string name, std::string placeholder, std::string help) {
  return {.scope = scope,
          .name = std::move(name),
          .placeholder = std::move(placeholder),
          .help = std::move(help),
          .environment = "",
          .in_file = false};
}

}  // namespace

BenchCommand::BenchCommand() : Command("bench", "Put load on a broker and measure") { load_.shared.type = kBenchType; }

Command::Positional BenchCommand::positional() const {
  return {"submit|lifecycle|latency|worker",
          "submit fills a queue; lifecycle submits and waits for the last completion; latency runs one job at a time; "
          "worker serves such jobs (its --broker is the workers' endpoint)",
          1, 1};
}

void BenchCommand::declare(program::Options& options, CLI::App* scope) {
  options.add(option(scope, "jobs", "N", "How many [200000; latency 10000; worker: until stopped]"),
              program::Options::integer(jobs_, 0, kMostJobs));
  options.add(option(scope, "payload", "SIZE", "Bytes in each job [100B]"),
              program::Options::size(load_.payload, 0, limits::kLargestMaxPayload));
  options.add(option(scope, "batch", "N", "Jobs in one message at most [64]"),
              program::Options::integer(batch_, 1, static_cast<std::int64_t>(limits::kMaxBatch)));
  options.add(option(scope, "window", "N", "Jobs in flight at most [1000]"),
              program::Options::integer(window_, 1, static_cast<std::int64_t>(limits::kMaxWaits)));
  options.add(option(scope, "rate", "N", "latency: jobs a second, from a fixed schedule [one at a time]"),
              program::Options::integer(rate_, 1, 10'000'000));
  options.add(option(scope, "durability", "fsync|memory", "What the acknowledgement means [fsync]"),
              durability(load_.shared.options.durability));
  options.add(option(scope, "queue", "Q", "The queue [default]"), queue_name(load_.shared.queue));
  options.add(option(scope, "keep", "DUR", "How long outcomes can be read [24h]"),
              program::Options::duration(load_.shared.options.keep));
  options.add(option(scope, "workers", "N", "Worker processes to start; 0: bring your own [0]"),
              program::Options::integer(workers_, 0, 1000));
  options.add(option(scope, "workers-endpoint", "ENDPOINT", "Where they register [as the broker advertises]"),
              endpoint(workers_endpoint_));
  options.add(option(scope, "slots", "N", "Slots of each worker [1]"),
              program::Options::integer(slots_, 1, static_cast<std::int64_t>(limits::kMaxSlots)));
  options.add(option(scope, "name", "NAME", "worker: its name"), program::Options::text(worker_name_));
}

int BenchCommand::run(Session& session) {
  const std::string& workload = arguments().front();
  if (workload == "worker") {
    BenchWorkerOptions worker;
    worker.broker = session.broker_given() ? session.broker() : kDefaultWorkersEndpoint;
    worker.queue = load_.shared.queue;
    worker.name = worker_name_;
    worker.jobs = static_cast<std::uint64_t>(std::max<std::int64_t>(jobs_, 0));
    worker.slots = static_cast<std::uint32_t>(slots_);
    const Status ran = run_bench_worker(worker);
    return ran ? 0 : session.fail(ran.error());
  }
  if (workload != "submit" && workload != "lifecycle" && workload != "latency") {
    return session.usage("bench: '" + workload + "' is not allowed; give submit, lifecycle, latency or worker");
  }
  if (jobs_ == 0)
    return session.usage("--jobs: '0' is not allowed; give at least 1 (only bench worker runs until stopped)");
  if (rate_ > 0 && workload != "latency") return session.usage("--rate is for bench latency");
  return measure(session, workload);
}

int BenchCommand::measure(Session& session, const std::string& workload) {
  const bool is_latency = workload == "latency";
  load_.jobs = static_cast<std::uint64_t>(jobs_ > 0 ? jobs_ : is_latency ? kSomeJobs : kManyJobs);
  load_.batch = static_cast<std::uint64_t>(is_latency && rate_ == 0 ? 1 : batch_);
  load_.window = static_cast<std::uint64_t>(is_latency && rate_ == 0 ? 1 : window_);
  load_.rate = static_cast<std::uint64_t>(rate_);
  session.client_options.batch = load_.batch;
  session.client_options.window = load_.window;
  if (!session.connect()) return session.connect_exit();
  BenchWorkers workers;
  if (workers_ > 0) {
    std::string endpoint = workers_endpoint_;
    if (endpoint.empty()) endpoint = session.client().workers_endpoint();
    if (endpoint.empty()) endpoint = kDefaultWorkersEndpoint;
    const Status started =
        workers.start(session.client(), endpoint, load_.shared.queue, static_cast<std::uint64_t>(workers_),
                      static_cast<std::uint64_t>(slots_), session.timeout());
    if (!started) return session.fail_request(started.error());
  }
  BenchPatience patience;
  patience.limit = session.wait_limit();
  patience.waiting = [&session](const std::string& reason) { session.notice("waiting: " + reason); };
  const Result<BenchFigures> figures = workload == "submit"      ? bench_submit(session.client(), load_)
                                       : workload == "lifecycle" ? bench_lifecycle(session.client(), load_, patience)
                                                                 : bench_latency(session.client(), load_, patience);
  if (!figures && patience.ran_out) return session.fail(figures.error());
  if (!figures) return session.fail_request(figures.error());
  print(session, workload, *figures);
  return 0;
}

void BenchCommand::print(const Session& session, const std::string& workload, const BenchFigures& figures) const {
  const auto whole = [](double value) { return static_cast<std::int64_t>(value); };
  const auto jobs = static_cast<double>(figures.jobs);
  client::AdminRow row;
  row.emplace_back("workload", workload);
  row.emplace_back("jobs", static_cast<std::int64_t>(figures.jobs));
  row.emplace_back("seconds", figures.seconds);
  row.emplace_back("jobs_per_second", whole(jobs / std::max(figures.seconds, 1e-6)));
  row.emplace_back("batch", static_cast<std::int64_t>(load_.batch));
  row.emplace_back("window", static_cast<std::int64_t>(load_.window));
  if (load_.rate > 0) row.emplace_back("rate", static_cast<std::int64_t>(load_.rate));
  row.emplace_back("payload", static_cast<std::int64_t>(load_.payload));
  row.emplace_back("durability", std::string(durability_name(load_.shared.options.durability)));
  row.emplace_back("commits", static_cast<std::int64_t>(figures.commits));
  row.emplace_back("jobs_per_commit",
                   figures.commits == 0 ? std::int64_t{0} : whole(jobs / static_cast<double>(figures.commits)));
  row.emplace_back("store_bytes_per_job", whole(figures.store_bytes / std::max(jobs, 1.0)));
  row.emplace_back("p50_us", static_cast<std::int64_t>(figures.p50_us));
  row.emplace_back("p99_us", static_cast<std::int64_t>(figures.p99_us));
  row.emplace_back("p999_us", static_cast<std::int64_t>(figures.p999_us));
  if (session.output() == Output::json) {
    std::printf("%s\n", row_json(row).c_str());
  } else if (session.output() == Output::text) {
    std::fputs(row_table({row}, false, text_style(STDOUT_FILENO)).c_str(), stdout);
  } else {
    std::printf("%.0f\n", jobs / std::max(figures.seconds, 1e-6));
  }
  std::fflush(stdout);
}

}  // namespace rota::cli

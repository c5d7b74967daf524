#include "client/cli/bulk_commands.h"

#include <unistd.h>

#include <cinttypes>
#include <cstdio>
#include <functional>

#include "client/cli/id_arguments.h"
#include "client/cli/ids_command.h"
#include "client/cli/job_json.h"
#include "client/cli/option_takers.h"
#include "client/cli/progress_bar.h"
#include "client/cli/queue_error.h"
#include "client/cli/session.h"
#include "client/cli/text_style.h"
#include "common/program/exit_code.h"

namespace rota::cli {

namespace {

constexpr std::uint32_t kPurgedStates = kQueuedStates | kFinalStates;

// Neither from the environment nor from the file: a queue that nobody sees on the line must not lose its jobs.
void add_option(program::Options& options, CLI::App* scope, const char* name, const char* placeholder, const char* help,
                program::Options::Taker taker) {
  options.add({.scope = scope, .name = name, .placeholder = placeholder, .help = help, .environment = "", .in_file = false},
              std::move(taker));
}

// What a command over a queue is, and how its counts are told.
struct BulkVerb {
  const char* counted;  // name of the count in JSON
  const char* did;      // "N jobs …"
  bool can_refuse;
  std::function<Result<client::BulkProgress>(const client::Client::BulkSink&)> run;
};

// Jobs of the queue in these states, for the length of a bar; 0: unknown. Final ones are counted by the broker as they end,
// not as they are forgotten.
std::uint64_t jobs_in(client::Client& client, const std::string& queue, std::uint32_t states) {
  if ((states & kFinalStates) != 0) return 0;
  const Result<std::vector<client::AdminRow>> rows = client.admin("queues");
  if (!rows) return 0;
  double count = 0;
  for (const client::AdminRow& row : *rows) {
    if (client::text_in(row, "queue") != queue) continue;
    for (std::uint8_t number = 0; number < kJobStateCount; ++number) {
      const auto state = static_cast<JobState>(number);
      if ((states & state_bit(state)) != 0) count += client::number_in(row, job_state_name(state));
    }
  }
  return static_cast<std::uint64_t>(count);
}

std::string count_of_jobs(std::uint64_t count) { return std::to_string(count) + (count == 1 ? " job" : " jobs"); }

void print_done(const Session& session, const BulkVerb& verb, const std::string& queue, const client::BulkProgress& done) {
  if (session.output() == Output::json) {
    client::AdminRow row{{"queue", queue}, {verb.counted, static_cast<std::int64_t>(done.done)}};
    if (verb.can_refuse) row.emplace_back("refused", static_cast<std::int64_t>(done.refused));
    std::printf("%s\n", row_json(row).c_str());
  } else if (session.output() == Output::quiet) {
    std::printf("%" PRIu64 "\n", done.done);
  } else {
    std::printf("%s %s\n", count_of_jobs(done.done).c_str(), verb.did);
  }
}

int run_on_queue(Session& session, const std::string& queue, std::uint32_t states, const BulkVerb& verb) {
  const bool draws = session.output() == Output::text && can_redraw(STDERR_FILENO);
  ProgressBar bar(draws ? jobs_in(session.client(), queue, states) : 0, draws);
  // Only now: a signal must not end the call for a slice, whose count would be lost; it is looked at between slices.
  session.catch_signals();
  client::BulkProgress so_far;
  bool interrupted = false;
  const Result<client::BulkProgress> done = verb.run([&](const client::BulkProgress& progress) {
    so_far = progress;
    bar.update(progress.done + progress.refused, progress.refused);
    interrupted = session.take_signal();
    return !interrupted;
  });
  bar.clear();
  if (!done) {
    if (so_far.done > 0) session.notice(count_of_jobs(so_far.done) + " " + verb.did + " before this failed");
    return session.fail_request(about_queue(done.error(), queue));
  }
  print_done(session, verb, queue, *done);
  if (done->refused > 0) {
    session.notice(count_of_jobs(done->refused) +
                   " could not go back, because another job holds their key, say; 'rota retry ID' tells why");
  }
  if (interrupted && !done->complete) {
    session.notice("interrupted: the other jobs are as they were; the same command goes on with them");
    return program::kExitInterrupted;
  }
  return done->refused > 0 ? program::kExitJobFailed : program::kExitOk;
}

}  // namespace

// --- retry --------------------------------------------------------------------------------------------------------------

void RetryCommand::declare(program::Options& options, CLI::App* scope) {
  add_option(options, scope, "queue", "Q", "Jobs of this queue instead of ids", queue_name(queue_));
  add_option(options, scope, "state", "S,...", "With --queue: jobs in one of these states [failed]",
             job_states(states_, kFinalStates));
}

Command::Positional RetryCommand::positional() const {
  return {"ID", "Job ids, whole or their endings; - reads them from stdin", 0, 0};
}

int RetryCommand::run(Session& session) {
  if (queue_.empty() && arguments().empty()) return session.usage("retry needs ids, or --queue for the jobs of a queue");
  if (!queue_.empty() && !arguments().empty()) return session.usage("retry takes ids or --queue, not both");
  if (queue_.empty() && states_ != 0) return session.usage("--state belongs to --queue; ids name their jobs themselves");
  std::vector<GivenId> given;
  if (queue_.empty()) {
    Result<std::vector<GivenId>> parsed = parse_ids(arguments());
    if (!parsed) return session.usage(parsed.error().message);
    given = std::move(parsed).value();
  }
  if (!session.connect()) return session.connect_exit();
  client::Client& client = session.client();
  if (queue_.empty()) {
    const Result<std::vector<JobId>> ids = resolve_ids(client, given);
    if (!ids) return session.fail_request(ids.error());
    return print_outcomes(session, client.retry(*ids), "retry");
  }
  const std::uint32_t states = states_ == 0 ? state_bit(JobState::failed) : states_;
  return run_on_queue(session, queue_, states,
                      {"retried", "put back to ready", true, [&](const client::Client::BulkSink& on_slice) {
                         return client.retry_queue(queue_, states, on_slice);
                       }});
}

// --- purge --------------------------------------------------------------------------------------------------------------

void PurgeCommand::declare(program::Options& options, CLI::App* scope) {
  add_option(options, scope, "queue", "Q", "The queue", queue_name(queue_));
  add_option(options, scope, "state", "S,...", "Only jobs in one of these states", job_states(states_, kPurgedStates));
  options.flag(
      {.scope = scope, .name = "yes", .placeholder = "", .help = "Really do it", .environment = "", .in_file = false},
      yes_);
}

int PurgeCommand::run(Session& session) {
  if (queue_.empty()) return session.usage("purge needs --queue");
  const std::uint32_t states = states_ == 0 ? kPurgedStates : states_;
  if (!yes_) {
    return session.usage("this would forget every job of queue '" + queue_ + "' that is " + state_names(states) +
                         ", with its result, for good; nothing was done; add --yes to do it");
  }
  if (!session.connect()) return session.connect_exit();
  client::Client& client = session.client();
  return run_on_queue(session, queue_, states,
                      {"forgotten", "forgotten", false,
                       [&](const client::Client::BulkSink& on_slice) { return client.purge(queue_, states, on_slice); }});
}

}  // namespace rota::cli

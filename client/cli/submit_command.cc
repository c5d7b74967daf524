#include "client/cli/submit_command.h"

#include <algorithm>
#include <cstdio>
#include <unordered_set>

#include "client/cli/job_json.h"
#include "client/cli/job_waiter.h"
#include "client/cli/session.h"
#include "common/program/exit_code.h"

namespace rota::cli {

namespace {

constexpr Millis kInputPause{20};  // between two looks at an input that has nothing to read

}  // namespace

SubmitCommand::SubmitCommand() : Command("submit", "Submit a command, a job for a handler, or one job per line or index") {}

void SubmitCommand::declare(program::Options& options, CLI::App* scope) { set_.declare(options, scope); }

int SubmitCommand::run(Session& session) {
  const Result<SubmitOptions> job = set_.finish(session.command_line);
  if (!job) return session.usage(job.error().message);
  if (job->wait && job->array && job->array->count() > limits::kMaxWaits) {
    return session.usage("--wait takes at most " + std::to_string(limits::kMaxWaits) + " jobs");
  }
  Result<std::unique_ptr<JobSource>> source = make_job_source(*job);
  if (!source) return session.usage(source.error().message);
  single_ = job->single();
  wait_ = job->wait;
  if (wait_) {
    session.catch_signals();
    session.client_options.on_contact_lost = [&session](const std::string& reason) {
      session.notice("lost contact with the broker at " + session.broker() + ": " + reason);
    };
    session.client_options.on_contact_back = [&session] {
      session.notice("the broker at " + session.broker() + " is back");
    };
  }
  if (!session.connect()) return session.connect_exit();
  session.client().on_submitted([this, &session](const client::SubmitResult& result) { on_submitted(session, result); });

  const std::optional<Error> broken = submit_all(session, *job, **source);
  std::fflush(stdout);
  const bool interrupted = broken && broken->code == Code::cancelled && session.take_signal();
  if (broken && !interrupted) exit_ = session.fail_request(*broken);
  if (!wait_ || accepted_.empty()) return interrupted ? program::kExitJobFailed : exit_;
  const int waited = wait_for_all(session, interrupted);
  return exit_ != 0 ? exit_ : waited;
}

std::optional<Error> SubmitCommand::submit_all(Session& session, const SubmitOptions& job, JobSource& source) {
  client::Client& client = session.client();
  while (!stop_) {
    client::JobItem item;
    const Result<JobSource::Next> next = source.next(item);
    if (!next) {
      const Result<client::Client::Flushed> flushed = client.flush();
      return next.error();
    }
    if (*next == JobSource::Next::end) break;
    if (*next == JobSource::Next::not_yet) {
      const Result<std::size_t> handled = client.poll(kInputPause);
      if (!handled) return handled.error();
      continue;
    }
    answers_.emplace_back();
    const Result<client::Ticket> ticket = client.submit_async(job.shared, item);
    if (!ticket) return ticket.error();
  }
  const Result<client::Client::Flushed> flushed = client.flush();
  if (!flushed) return flushed.error();
  return std::nullopt;
}

void SubmitCommand::on_submitted(Session& session, const client::SubmitResult& result) {
  Answer& answer = answers_[result.ticket - next_printed_];
  answer.answered = true;
  answer.result = result;
  if (!result.accepted()) {
    Error error{result.code, std::string(result.message)};
    if (!single_) error.message = "job " + std::to_string(result.ticket + 1) + ": " + error.message;
    const int code = session.fail_request(error);
    if (exit_ == 0) exit_ = code;
    stop_ = stop_ || is_retryable(result.code) || result.code == Code::timed_out;
  }
  answer.result.message = {};
  print_answered(session);
}

void SubmitCommand::print_answered(Session& session) {
  while (!answers_.empty() && answers_.front().answered) {
    const client::SubmitResult& result = answers_.front().result;
    if (result.accepted()) {
      if (wait_) accepted_.push_back(result.id);
      print(session, result);
    }
    answers_.pop_front();
    ++next_printed_;
  }
}

// With --wait stdout belongs to the job, or to the lines that tell how each ended.
void SubmitCommand::print(Session& session, const client::SubmitResult& result) {
  if (wait_ || session.output() == Output::quiet) return;
  if (session.output() == Output::json) {
    std::printf("%s\n", submit_json(result).c_str());
  } else {
    std::printf("%s\n", to_string(result.id).c_str());
  }
}

int SubmitCommand::wait_for_all(Session& session, bool interrupted) {
  // A key may have led several submits to one job.
  std::unordered_set<JobId> seen;
  std::erase_if(accepted_, [&seen](const JobId& id) { return !seen.insert(id).second; });
  if (interrupted) {
    session.notice("cancelling " + std::to_string(accepted_.size()) + " submitted jobs");
    const Result<std::vector<client::ItemOutcome>> outcomes = session.client().cancel(accepted_);
    if (!outcomes) return session.fail_request(outcomes.error());
    return program::kExitJobFailed;
  }
  WaitOptions options;
  options.write_through = single_;
  options.cancel_on_signal = true;
  return JobWaiter(session, accepted_, options).run();
}

}  // namespace rota::cli

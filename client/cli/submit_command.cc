#include "client/cli/submit_command.h"

#include <algorithm>
#include <cstdio>
#include <unordered_set>

#include "client/cli/job_json.h"
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

  if (wait_) {
    // Jobs can end before all are submitted, so their ends are listened for from the first one on.
    WaitOptions options;
    options.write_through = single_;
    options.cancel_on_signal = true;
    waiter_.emplace(session, options).listen();
  }

  const std::optional<Error> broken = submit_all(session, *job, **source);
  session.flush_out();
  if (broken && broken->code == Code::cancelled && session.take_signal()) return cancel_all(session);
  if (broken) exit_ = session.fail_request(*broken);
  if (!wait_ || accepted_.empty()) return exit_;
  const int waited = wait_for_all();
  return exit_ != 0 ? exit_ : waited;
}

std::optional<Error> SubmitCommand::submit_all(Session& session, const SubmitOptions& job, JobSource& source) {
  client::Client& client = session.client();
  while (!stop_) {
    client::JobItem item;
    const Result<JobSource::Next> next = source.next(item);
    if (!next) {
      exit_ = session.fail(next.error());
      break;
    }
    if (*next == JobSource::Next::end) break;
    if (*next == JobSource::Next::not_yet) {
      const Result<std::size_t> handled = client.poll(kInputPause);
      if (!handled) return handled.error();
      continue;
    }
    if (wait_) {
      if (!item.id) item.id = client.make_id(job.shared.queue);
      // A broker tells one client of so many ends at a time.
      while (client.watching() + 2 * limits::kClientBatch > limits::kMaxWaits) {
        const Result<std::size_t> handled = client.poll(kInputPause);
        if (!handled) return handled.error();
      }
    }
    answers_.emplace_back().id = item.id.value_or(JobId{});
    const Result<client::Ticket> ticket = client.submit_async(job.shared, item, wait_);
    if (!ticket && ticket.error().code == Code::cancelled) return ticket.error();
    if (!ticket) {
      answers_.pop_back();
      exit_ = session.fail(ticket.error());
      break;
    }
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
  if (wait_) return;
  if (session.output() == Output::json) {
    std::printf("%s\n", submit_json(result).c_str());
  } else {
    std::printf("%s\n", to_string(result.id).c_str());
  }
}

// What is not acknowledged may have been accepted, so it is cancelled too.
int SubmitCommand::cancel_all(Session& session) {
  session.client().drop_unacknowledged();
  std::vector<JobId> ids = std::move(accepted_);
  for (const Answer& answer : answers_) {
    if (!answer.answered) ids.push_back(answer.id);
    if (answer.answered && answer.result.accepted()) ids.push_back(answer.result.id);
  }
  session.notice("cancelling " + std::to_string(ids.size()) + (ids.size() == 1 ? " submitted job" : " submitted jobs"));
  const Result<std::vector<client::ItemOutcome>> outcomes = session.client().cancel(ids);
  if (!outcomes) return session.fail_request(outcomes.error());
  return program::kExitJobFailed;
}

int SubmitCommand::wait_for_all() {
  // A key may have led several submits to one job.
  std::unordered_set<JobId> seen;
  std::erase_if(accepted_, [&seen](const JobId& id) { return !seen.insert(id).second; });
  return waiter_->run(std::move(accepted_));
}

}  // namespace rota::cli

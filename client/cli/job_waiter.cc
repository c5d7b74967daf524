#include "client/cli/job_waiter.h"

#include <algorithm>
#include <cstdio>
#include <unordered_set>
#include <utility>

#include "client/cli/job_json.h"
#include "common/base/units.h"
#include "common/program/exit_code.h"

namespace rota::cli {

namespace {

constexpr std::int64_t kExplainAfterUs = 2'000'000;
constexpr Millis kSlice{200};  // between two looks at the display

client::Job copy_of(const client::FinishedJob& job) {
  client::Job copy;
  copy.id = job.id;
  copy.code = job.code;
  copy.message = job.message;
  copy.state = job.state;
  copy.attempts = job.attempts;
  copy.losses = job.losses;
  copy.worker = job.worker;
  copy.exit_code = job.exit_code;
  copy.signal = job.signal;
  copy.error_code = job.error_code;
  copy.error_message = job.error_message;
  copy.result = job.result;
  copy.result_size = job.result_size;
  copy.stderr_tail = job.stderr_tail;
  return copy;
}

// The first few by their ids, the others by their number.
std::string first_of(const std::vector<JobId>& ids) {
  constexpr std::size_t kNamed = 3;
  std::string text;
  for (std::size_t i = 0; i < ids.size() && i < kNamed; ++i) text += (i == 0 ? "" : ", ") + to_string(ids[i]);
  if (ids.size() > kNamed) text += " and " + std::to_string(ids.size() - kNamed) + " more";
  return text;
}

}  // namespace

void JobWaiter::listen() {
  listening_ = true;
  session_.client().on_final([this](const client::FinishedJob& job) { on_final(job); });
}

int JobWaiter::run(std::vector<JobId> ids) {
  const std::int64_t start = monotonic_us();
  next_explanation_us_ = start + kExplainAfterUs;
  ids_ = std::move(ids);
  display_.emplace(ids_.size(), options_.show_progress && ids_.size() > 1 && session_.output() == Output::text);
  if (listening_) {
    count_early();
  } else {
    listen();
    const Status watched = session_.client().watch(ids_, options_.write_through);
    if (!watched) return session_.fail(watched.error());
  }
  if (const auto left = run_until_final(start)) {
    display_->clear();
    return *left;
  }
  return finish();
}

// Only of those that are waited for: an end can be told of a job whose acceptance never was.
void JobWaiter::count_early() {
  const std::unordered_set<JobId> wanted(ids_.begin(), ids_.end());
  for (const Ended& job : ended_) {
    if (wanted.contains(job.id)) count(job);
  }
}

void JobWaiter::count(const Ended& job) {
  ++done_;
  if (job.succeeded) ++succeeded_;
  if (!job.known) ++unknown_;
}

void JobWaiter::clear_display() {
  if (display_) display_->clear();
}

std::optional<int> JobWaiter::run_until_final(std::int64_t start_us) {
  const Millis limit = session_.wait_limit();
  while (done_ < ids_.size()) {
    const Millis spent{(monotonic_us() - start_us) / 1000};
    if (limit.count() >= 0 && spent >= limit) {
      display_->clear();
      session_.fail({Code::timed_out, std::to_string(ids_.size() - done_) + " of " + std::to_string(ids_.size()) +
                                          " jobs are not final; they go on: " + first_of(unfinished())});
      return program::kExitTimedOut;
    }
    const Millis slice = limit.count() < 0 ? kSlice : std::min(kSlice, limit - spent);
    const Result<std::size_t> handled = session_.client().poll(slice);
    if (!handled && handled.error().code == Code::cancelled) {
      if (const auto left = on_interrupted()) return left;
      continue;
    }
    if (!handled) return session_.fail_request(handled.error());
    display_->update(done_, done_ - succeeded_);
    if (done_ == 0 && !running_seen_ && monotonic_us() >= next_explanation_us_) explain_waiting();
  }
  return std::nullopt;
}

void JobWaiter::on_final(const client::FinishedJob& job) {
  const Ended ended{job.id, job.code == Code::ok, job.succeeded()};
  ended_.push_back(ended);
  if (display_) count(ended);  // those before are counted by run()
  if (options_.write_through) single_ = copy_of(job);
  if (job.code != Code::ok) {
    clear_display();
    session_.fail({job.code, "job " + to_string(job.id) + " cannot be waited for: " + std::string(job.message)});
    return;
  }
  if (session_.output() == Output::json) {
    std::printf("%s\n", finished_json(job).c_str());
  } else if (session_.output() == Output::text && options_.print_each) {
    clear_display();
    std::printf("%s %s\n", to_string(job.id).c_str(), std::string(job_state_name(job.state)).c_str());
  }
}

// Asks about the first job that has not ended: it is the first in line, so what holds it holds all.
void JobWaiter::explain_waiting() {
  next_explanation_us_ = monotonic_us() + kExplainAfterUs;
  if (!session_.client().in_contact()) return;
  const std::vector<JobId> first{ids_.front()};
  const Result<std::vector<client::Job>> jobs = session_.client().get(first);
  if (!jobs || jobs->empty()) return;
  const client::Job& job = jobs->front();
  if (job.state == JobState::running) running_seen_ = true;
  if (job.waiting_for.empty() || job.waiting_for == explanation_) return;
  explanation_ = job.waiting_for;
  display_->clear();
  session_.notice("waiting: " + explanation_);
}

std::vector<JobId> JobWaiter::unfinished() const {
  std::unordered_set<JobId> done;
  for (const Ended& job : ended_) done.insert(job.id);
  std::vector<JobId> rest;
  for (const JobId& id : ids_) {
    if (!done.contains(id)) rest.push_back(id);
  }
  return rest;
}

std::optional<int> JobWaiter::on_interrupted() {
  if (!session_.take_signal()) return std::nullopt;
  if (cancelling_ || !options_.cancel_on_signal) return program::kExitInterrupted;
  cancelling_ = true;
  const std::vector<JobId> rest = unfinished();
  display_->clear();
  session_.notice("cancelling " + std::to_string(rest.size()) + (rest.size() == 1 ? " job" : " jobs") +
                  "; interrupt again to leave at once");
  const Result<std::vector<client::ItemOutcome>> outcomes = session_.client().cancel(rest);
  if (outcomes) return std::nullopt;
  if (outcomes.error().code == Code::cancelled) return program::kExitInterrupted;
  return session_.fail_request(outcomes.error());
}

int JobWaiter::finish() {
  if (options_.write_through && single_ && single_->code == Code::ok) return write_single_through();
  display_->finish(done_, done_ - succeeded_);
  session_.flush_out();
  if (unknown_ > 0) return program::kExitNotFound;
  return succeeded_ == done_ ? program::kExitOk : program::kExitJobFailed;
}

std::optional<int> JobWaiter::fetch_result(client::Job& job) {
  if (job.result.size() >= job.result_size) return std::nullopt;
  Result<std::vector<client::Job>> whole = session_.client().get(ids_, true);
  if (!whole) return session_.fail_request(whole.error());
  client::Job& found = whole->front();
  if (found.code == Code::ok && found.result.size() >= job.result_size) {
    job.result = std::move(found.result);
    return std::nullopt;
  }
  session_.fail({Code::gone, "job " + to_string(job.id) + " " + std::string(job_state_name(job.state)) +
                                 ", but its result of " + format_size(job.result_size) + " is gone: only results up to " +
                                 format_size(limits::kMaxInlineResult) +
                                 " come with the notice of the end, and the broker keeps this one no longer; submit with "
                                 "a longer --keep (0 keeps nothing)"});
  return program::kExitInternal;
}

int JobWaiter::write_single_through() {
  client::Job& job = *single_;
  if (session_.output() != Output::json) {
    const std::optional<int> missing = fetch_result(job);
    if (missing && (*missing != program::kExitInternal || job.state == JobState::succeeded)) return *missing;
    session_.write_output(job.result, stdout);
    session_.flush_out();
    session_.write_output(job.stderr_tail, stderr);
  }
  if (job.state == JobState::succeeded) return program::kExitOk;
  const bool own_exit = job.exit_code && *job.exit_code != 0;
  // A command that ended by itself has said what it had to say; everything else is explained here.
  if (job.state != JobState::failed || !own_exit || (!job.error_code.empty() && job.error_code != "EXIT")) {
    std::string text = "job " + to_string(job.id) + " " + std::string(job_state_name(job.state));
    if (!job.error_code.empty()) text += ": " + job.error_code;
    if (!job.error_message.empty()) text += ": " + job.error_message;
    session_.explain_end(end_code(job), text);
  }
  if (own_exit && job.state == JobState::failed) return *job.exit_code & 0xFF;
  return program::kExitJobFailed;
}

}  // namespace rota::cli

#include "client/client_state.h"

#include <poll.h>

#include <algorithm>

#include "common/base/entropy.h"
#include "common/base/units.h"

namespace rota::client {

namespace {

bool is_readable(int fd) {
  if (fd < 0) return false;
  pollfd item{fd, POLLIN, 0};
  return ::poll(&item, 1, 0) > 0;
}

ConnectionOptions connection_options(const ClientOptions& options) {
  ConnectionOptions out;
  out.endpoint = options.endpoint;
  out.software = options.software;
  out.seed = random_u64();
  return out;
}

}  // namespace

Client::State::State(ClientOptions options_in, std::unique_ptr<net::Context> own)
    : options(std::move(options_in)),
      own_context(std::move(own)),
      connection(own_context ? *own_context : *options.context, connection_options(options), *this),
      watched(connection),
      submitter(connection, watched, SubmitterOptions{options.batch, options.batch_bytes}),
      random(random_u64()) {
  async_sink = [this](const SubmitResult& result) {
    count(result);
    if (user_submitted) user_submitted(result);
  };
}

void Client::State::count(const SubmitResult& result) {
  if (result.accepted()) {
    ++flushed.accepted;
    if (result.code == Code::duplicate) ++flushed.duplicates;
    return;
  }
  ++flushed.refused;
  if (!flushed.first_refusal) flushed.first_refusal = Error{result.code, std::string(result.message)};
}

void Client::State::on_message(const wire::Message& message) {
  if (const auto* notify = std::get_if<wire::Notify>(&message.body)) {
    return watched.on_notify(message.request, *notify);
  }
  if (submitter.on_message(message)) return;
  const auto found = calls.find(message.request);
  if (found == calls.end()) {
    // Otherwise answered before, or given up.
    if (const auto* error = std::get_if<wire::ErrorReply>(&message.body)) watched.on_error(message.request, *error);
    return;
  }
  Call& call = *found->second;
  if (call.done) return;  // sent again because the answer was late: both were answered
  if (const auto* error = std::get_if<wire::ErrorReply>(&message.body)) {
    Error refusal{error->code, std::string(error->message)};
    if (error->code != Code::moved && is_retryable(error->code)) {
      call.refusal = std::move(refusal);
      return connection.defer(message.request, error->retry_after, call.refusals++);
    }
    call.error = std::move(refusal);
  } else {
    (*call.on_answer)(message);
  }
  call.done = true;
}

void Client::State::on_expired(wire::Request request) {
  if (submitter.on_expired(request)) return;
  const auto found = calls.find(request);
  if (found == calls.end()) return;
  Call& call = *found->second;
  call.error = call.refusal ? *call.refusal : no_answer();
  call.done = true;
}

Error Client::State::no_answer() const {
  std::string text =
      "the broker at " + connection.endpoint() + " did not answer within " + format_duration(options.timeout);
  if (!connection.unreadable().empty()) text += " (an answer could not be read: " + connection.unreadable() + ")";
  return Error{Code::timed_out, std::move(text)};
}

void Client::State::on_resumed() {
  IdSet submitting;
  submitter.add_open_ids(submitting);
  watched.resume(submitting);
}

void Client::State::on_contact(bool back, const std::string& reason) {
  if (back) {
    if (options.on_contact_back) options.on_contact_back();
  } else if (options.on_contact_lost) {
    options.on_contact_lost(reason);
  }
}

Result<std::size_t> Client::State::turn(Steady until) {
  watched.tick(connection.now());
  Result<std::size_t> handled = connection.turn(std::min(until, watched.next_event()), options.wake_fd);
  // While messages keep coming the descriptor is looked at here only.
  if (handled && is_readable(options.wake_fd)) return Error{Code::cancelled, "interrupted"};
  return handled;
}

Result<bool> Client::State::run(const std::function<bool()>& done, Steady until) {
  while (!done()) {
    const Result<std::size_t> handled = turn(until);
    if (!handled) return handled.error();
    if (*handled == 0 && connection.now() >= until) return done();
  }
  return true;
}

Status Client::State::call(wire::Message& message, const std::function<void(const wire::Message&)>& on_answer) {
  submitter.send_gathered();
  Call call;
  call.on_answer = &on_answer;
  const wire::Request request = connection.post(message, deadline());
  calls.emplace(request, &call);
  const Result<bool> ran = run([&call] { return call.done; }, kNeverSteady);
  calls.erase(request);
  connection.close(request);
  if (!ran) return ran.error();
  if (call.error) return *call.error;
  return {};
}

Status Client::State::check_job(const JobTemplate& shared, const JobItem& item) {
  if (!any_checked || !(checked == shared)) {
    if (Status ok = check(shared); !ok) return ok;
    checked = shared;
    any_checked = true;
  }
  return check(shared, item, connection.facts().max_payload);
}

Status Client::State::submit_now(std::span<const JobRequest> jobs, bool notify, const SubmitSink& sink) {
  submitter.send_gathered();
  std::size_t answered = 0;
  const SubmitSink counting = [&](const SubmitResult& result) {
    ++answered;
    sink(result);
  };
  std::size_t asked = 0;
  std::optional<Error> broken;
  for (std::size_t i = 0; i < jobs.size() && !broken; ++i) {
    const JobRequest& job = jobs[i];
    JobItem item{job.id, job.payload, job.key, std::nullopt, std::nullopt};
    if (const Status ok = check_job(job.shared, item); !ok) {
      SubmitResult refused;
      refused.ticket = i;
      refused.code = ok.error().code;
      refused.message = ok.error().message;
      sink(refused);
      continue;
    }
    const Steady until = deadline();
    submitter.add(job.shared, item, i, {&counting, notify ? &user_final : nullptr, until});
    ++asked;
    const Result<bool> room = run([&] { return submitter.unacknowledged() < options.window; }, kNeverSteady);
    if (!room) broken = room.error();
  }
  submitter.send_gathered();
  if (!broken) {
    const Result<bool> ran = run([&] { return answered == asked; }, kNeverSteady);
    if (!ran) broken = ran.error();
  }
  if (!broken) return {};
  submitter.abandon(&counting);
  return *broken;
}

}  // namespace rota::client

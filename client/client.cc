#include "client/client.h"

#include <algorithm>
#include <utility>

#include "client/client_state.h"
#include "common/base/peer_limits.h"
#include "common/base/units.h"

namespace rota::client {

namespace {

Submission submission_of(const SubmitResult& result) {
  Submission out;
  out.id = result.id;
  out.state = result.state;
  out.durability = result.durability;
  out.duplicate = result.code == Code::duplicate;
  out.created_at = result.created_at;
  out.run_at = result.run_at;
  return out;
}

Steady until_after(Steady now, Millis most) { return most.count() < 0 ? kNeverSteady : now + most; }

}  // namespace

Client::Client(std::unique_ptr<State> state) : state_(std::move(state)) {}
Client::~Client() {
  if (state_) state_->connection.leave(std::chrono::seconds{1});
}
Client::Client(Client&&) noexcept = default;
Client& Client::operator=(Client&&) noexcept = default;

Result<Client> Client::connect(ClientOptions options) {
  std::unique_ptr<net::Context> context;
  if (options.context == nullptr) context = std::make_unique<net::Context>();
  auto state = std::make_unique<State>(std::move(options), std::move(context));
  const Result<bool> connected = state->run([&] { return state->connection.ready(); }, state->deadline());
  if (!connected) return connected.error();
  if (!*connected && !state->connection.unreadable().empty()) {
    return Error{Code::bad_message, "what answers at " + state->options.endpoint +
                                        " is no broker that this client understands: " + state->connection.unreadable() +
                                        "; is it the endpoint that --clients of the broker binds?"};
  }
  if (!*connected) {
    return Error{Code::timed_out, "broker not reachable at " + state->options.endpoint + " within " +
                                      format_duration(state->options.timeout) +
                                      "; is it running, and does --clients bind that address?"};
  }
  return Client(std::move(state));
}

JobId Client::make_id(std::string_view queue) {
  State& state = *state_;
  if (queue != state.slot_queue) {
    state.slot_queue = queue;
    state.slot = slot_of_queue(queue);
  }
  const BrokerFacts& facts = state.connection.facts();
  const Now now = read_clocks();
  const Wall wall = facts.wall.ms == 0 ? now.wall : facts.wall + (now.steady - facts.wall_at);
  return make_job_id(wall, state.slot, state.random);
}

Result<Submission> Client::submit(const JobRequest& job) {
  std::vector<Result<Submission>> results = submit_many({&job, 1});
  return std::move(results.front());
}

std::vector<Result<Submission>> Client::submit_many(std::span<const JobRequest> jobs) {
  std::vector<Result<Submission>> results(jobs.size(), Error{Code::internal, "not answered"});
  std::vector<JobRequest> with_ids(jobs.begin(), jobs.end());
  for (JobRequest& job : with_ids) {
    if (!job.id) job.id = make_id(job.shared.queue);
  }
  std::vector<bool> answered(jobs.size());
  const Status done = state_->submit_now(with_ids, false, [&](const SubmitResult& result) {
    answered[result.ticket] = true;
    if (result.accepted()) {
      results[result.ticket] = submission_of(result);
    } else {
      results[result.ticket] = Error{result.code, std::string(result.message)};
    }
  });
  if (!done) {
    for (std::size_t i = 0; i < results.size(); ++i) {
      if (!answered[i]) results[i] = done.error();
    }
  }
  return results;
}

Result<Submission> Client::submit_and_notify(const JobRequest& job) {
  JobRequest with_id = job;
  if (!with_id.id) with_id.id = make_id(job.shared.queue);
  Result<Submission> out = Error{Code::internal, "not answered"};
  const Status done = state_->submit_now({&with_id, 1}, true, [&](const SubmitResult& result) {
    if (result.accepted()) {
      out = submission_of(result);
    } else {
      out = Error{result.code, std::string(result.message)};
    }
  });
  if (!done) return done.error();
  return out;
}

Result<Ticket> Client::submit_async(const JobTemplate& shared, const JobItem& item, bool notify) {
  State& state = *state_;
  if (Status ok = state.check_job(shared, item); !ok) return ok.error();
  const auto room = [&state] {
    return state.submitter.unacknowledged() < state.options.window &&
           state.connection.open_bytes() < limits::kClientWindowBytes;
  };
  if (!room()) {
    state.submitter.send_gathered();
    const Result<bool> ran = state.run(room, kNeverSteady);
    if (!ran) return ran.error();
  }
  const Ticket ticket = state.next_ticket++;
  const Submitter::Party party{&state.async_sink, notify ? &state.user_final : nullptr,
                               state.connection.now() + state.options.timeout};
  const std::size_t before = state.submitter.gathered();
  if (before == 0) state.connection.refresh();
  if (item.id) {
    state.submitter.add(shared, item, ticket, party);
  } else {
    JobItem with_id = item;
    with_id.id = make_id(shared.queue);
    state.submitter.add(shared, with_id, ticket, party);
  }
  // A batch just left: take what has arrived meanwhile, without waiting.
  if (state.submitter.gathered() != before + 1) {
    const Result<std::size_t> handled = state.turn(Steady{0});
    if (!handled) return handled.error();
  }
  return ticket;
}

Result<Ticket> Client::submit_async(const JobRequest& job, bool notify) {
  return submit_async(job.shared, JobItem{job.id, job.payload, job.key, std::nullopt, std::nullopt}, notify);
}

Result<Client::Flushed> Client::flush() {
  State& state = *state_;
  state.submitter.send_gathered();
  const Result<bool> ran = state.run([&state] { return state.submitter.unacknowledged() == 0; }, kNeverSteady);
  if (!ran) return ran.error();
  return std::exchange(state.flushed, Flushed{});
}

void Client::drop_unacknowledged() { state_->submitter.abandon(&state_->async_sink); }
void Client::on_submitted(std::function<void(const SubmitResult&)> sink) { state_->user_submitted = std::move(sink); }
void Client::on_final(std::function<void(const FinishedJob&)> sink) { state_->user_final = std::move(sink); }
std::size_t Client::unacknowledged() const { return state_->submitter.unacknowledged(); }
std::size_t Client::watching() const { return state_->watched.size(); }
bool Client::in_contact() const { return state_->connection.ready(); }
const std::string& Client::endpoint() const { return state_->options.endpoint; }
std::string Client::workers_endpoint() const {
  const std::string& advertised = state_->connection.facts().workers_endpoint;
  return advertised.empty() ? std::string() : net::resolve_advertised(advertised, state_->options.endpoint);
}

Status Client::watch(std::span<const JobId> ids, bool with_result) {
  State& state = *state_;
  if (state.watched.size() + ids.size() > limits::kMaxWaits) {
    return Error{Code::too_large, "one client waits for at most " + std::to_string(limits::kMaxWaits) + " jobs at a time"};
  }
  state.submitter.send_gathered();
  state.connection.refresh();
  state.watched.ask(ids, with_result, &state.user_final);
  return {};
}

Result<std::size_t> Client::poll(Millis most) {
  State& state = *state_;
  state.submitter.send_gathered();
  return state.turn(until_after(state.connection.refresh(), most));
}

Status Client::wait(std::span<const JobId> ids, Millis most, bool with_result,
                    const std::function<void(const FinishedJob&)>& on_final) {
  State& state = *state_;
  if (state.watched.size() + ids.size() > limits::kMaxWaits) {
    return Error{Code::too_large, "one client waits for at most " + std::to_string(limits::kMaxWaits) + " jobs at a time"};
  }
  state.submitter.send_gathered();
  const Steady until = until_after(state.connection.refresh(), most);
  const std::size_t others = state.watched.size();
  std::size_t done = 0;
  const FinalSink sink = [&](const FinishedJob& job) {
    ++done;
    if (on_final) on_final(job);
  };
  IdSet distinct(ids.begin(), ids.end());
  state.watched.ask(ids, with_result, &sink);
  const Result<bool> ran = state.run([&] { return done == distinct.size(); }, until);
  state.watched.forget_all(&sink);
  ROTA_CHECK(state.watched.size() <= others);
  if (!ran) return ran.error();
  if (*ran) return {};
  return Error{Code::timed_out, std::to_string(distinct.size() - done) + " of " + std::to_string(distinct.size()) +
                                    " jobs are not final after " + format_duration(most)};
}

}  // namespace rota::client

#include "tests/sim/saboteur.h"

#include <algorithm>
#include <variant>

#include "common/base/code.h"

namespace rota::sim {
namespace {

queue::Sequence sequence_of(const queue::Change& change) {
  return std::visit(
      [](const auto& body) -> queue::Sequence {
        using Body = std::decay_t<decltype(body)>;
        if constexpr (std::is_same_v<Body, queue::JobAccepted>) return body.job.sequence;
        if constexpr (std::is_same_v<Body, queue::JobChanged>) return body.state.sequence;
        if constexpr (std::is_same_v<Body, queue::JobLeased>) return body.lease.sequence;
        if constexpr (std::is_same_v<Body, queue::LeaseEnded>) return body.sequence;
        if constexpr (std::is_same_v<Body, queue::JobFinished>) return body.outcome.sequence;
        if constexpr (std::is_same_v<Body, queue::JobRevived>) return body.old_sequence;
        if constexpr (std::is_same_v<Body, queue::JobForgotten>) return body.sequence;
        return 0;
      },
      change.body);
}

// Only whether jobs have ended is asked.
bool looks_up(const server::ReadTask& task) { return !task.ids.empty() && task.sequences.empty() && !task.list; }

std::string encoded(const wire::Message& message) {
  std::string frame;
  wire::encode(message, frame);
  return frame;
}

}  // namespace

void Saboteur::broker_started() {
  workers_.clear();
  hellos_.clear();
  succeeding_.clear();
  lost_.clear();
  held_back_.clear();
  taken_.reset();
  doubled_.clear();
}

// --- what comes in ------------------------------------------------------------------------------------------------------

std::vector<std::string> Saboteur::inbound(server::Side side, server::Route route, const std::string& frame,
                                           const queue::Core& core, Now now) {
  if (canary_ == Canary::none) return {frame};
  Result<wire::Message> message = decoder_.decode(frame);
  if (!rewrite(side, route, *message, core, now)) return {};
  return {encoded(*message)};
}

bool Saboteur::rewrite(server::Side side, server::Route route, wire::Message& message, const queue::Core& core, Now now) {
  if (auto* submit = std::get_if<wire::Submit>(&message.body)) rewrite(*submit);
  if (auto* complete = std::get_if<wire::Complete>(&message.body)) {
    if (is(Canary::credit_overrun) && complete->credit > 0) complete->credit += 3;
    if (is(Canary::token_ignored)) forge_token(route, message.request, *complete, core, now);
    if (is(Canary::second_success)) count_twice(route, message.request, *complete);
    for (wire::CompleteItem& item : complete->items) {
      if (is(Canary::ignored_rejection) && item.end == AttemptEnd::rejected) item.end = AttemptEnd::lost;
      if (item.end == AttemptEnd::succeeded) succeeding_[{route, message.request}].push_back(item.job.id);
    }
  }
  if (const auto* hello = std::get_if<wire::Hello>(&message.body)) note_session(*hello, route, message.request);
  if (std::holds_alternative<wire::Goodbye>(message.body)) workers_.erase(route);
  if (is(Canary::credit_overrun)) {
    if (auto* hello = std::get_if<wire::Hello>(&message.body); hello != nullptr && hello->credit > 0) hello->credit += 3;
    if (auto* renew = std::get_if<wire::Renew>(&message.body); renew != nullptr && renew->credit > 0) renew->credit += 3;
    if (auto* back = std::get_if<wire::Released>(&message.body); back != nullptr && back->credit > 0) back->credit += 3;
  }
  if (auto* admin = std::get_if<wire::Admin>(&message.body)) {
    forge(*admin);
  }
  if (is(Canary::ignored_goodbye) && side == server::Side::client && std::holds_alternative<wire::Goodbye>(message.body)) {
    return false;
  }
  return !is(Canary::ignored_cancel) || !forge_cancelled(route, message, core, now);
}

void Saboteur::note_session(const wire::Hello& hello, server::Route route, wire::Request request) {
  if (!hello.session.is_nil()) hellos_[{route, request}] = hello.session;
}

// Its older connections count no more.
void Saboteur::note_welcome(server::Route route, wire::Request request) {
  const auto hello = hellos_.find({route, request});
  if (hello == hellos_.end()) return;
  const Uuid session = hello->second;
  std::erase_if(workers_, [&](const auto& one) { return one.second == session; });
  workers_[route] = session;
  hellos_.erase(hello);
}

void Saboteur::forge(wire::Admin& admin) const {
  if (is(Canary::ignored_pause) && admin.verb == "pause") admin.verb = "resume";
  if (is(Canary::ignored_drain) && admin.verb == "drain") admin.verb = "stats";
  // Of these states there seldom is one.
  const bool spares =
      (is(Canary::ignored_purge) && admin.verb == "purge") || (is(Canary::ignored_retry) && admin.verb == "retry");
  if (spares) admin.arguments.emplace_back("state", "expired");
}

void Saboteur::rewrite(wire::Submit& submit) {
  for (wire::SubmitShared& shared : submit.shared) {
    wire::JobOptions& options = shared.options;
    if (is(Canary::priority_inversion)) options.priority = static_cast<std::int8_t>(-options.priority);
    if (is(Canary::ignored_delay)) options.delay = Millis{0};
    if (is(Canary::ignored_retries)) options.retries = 100;
    if (is(Canary::ignored_losses) || is(Canary::second_success)) options.losses = 100;
    if (is(Canary::ignored_expiry)) options.expires = Millis{0};
    if (is(Canary::ignored_run_at)) options.run_at = Wall{};
    if (is(Canary::ignored_backoff)) options.backoff = Millis{0};
    if (is(Canary::ignored_time_limit)) options.time_limit = Millis{0};
    if (is(Canary::ignored_disconnect)) options.stop_on_disconnect = false;
    if (is(Canary::ignored_keep) && options.keep.count() == 0) options.keep = Millis{-1};
    if (is(Canary::weaker_durability)) options.durability = Durability::memory;
  }
  if (is(Canary::late_expiry)) {
    for (const wire::SubmitItem& item : submit.items) expiries_[item.id] = submit.shared[item.shared].options.expires;
    for (wire::SubmitShared& shared : submit.shared) shared.options.expires = Millis{0};
  }
  if (is(Canary::ignored_key)) {
    for (wire::SubmitItem& item : submit.items) item.key = {};
  }
  if (!is(Canary::newest_first) || submit.items.size() > 100) return;
  std::vector<wire::SubmitShared> each;
  for (wire::SubmitItem& item : submit.items) {
    each.push_back(submit.shared[item.shared]);
    each.back().options.priority = static_cast<std::int8_t>(each.size());
    item.shared = static_cast<std::uint32_t>(each.size() - 1);
  }
  submit.shared = std::move(each);
}

// What comes again is told to count anyway: it is the first report of a run that must be told that it comes too late.
// What the engine gives out because of it waits for the answer: the worker that really has the job has no room for more.
void Saboteur::forge_token(server::Route route, wire::Request request, wire::Complete& complete, const queue::Core& core,
                           Now now) {
  for (wire::CompleteItem& item : complete.items) {
    const bool is_first = reported_.emplace(item.job.token, item.job.id).second;
    const auto view = core.view(item.job.id, now);
    if (!is_first || !view || view->state != JobState::running || view->token == item.job.token) continue;
    item.job.token = view->token;
    if (!taken_) taken_ = Taken{{route, request}, frames_out_, {}};
  }
}

// To the engine the run is lost, so that the job runs again; its worker is told that it counts, when that is under way.
void Saboteur::count_twice(server::Route route, wire::Request request, wire::Complete& complete) {
  if (complete.items.size() != 1) return;
  wire::CompleteItem& item = complete.items.front();
  if (item.end != AttemptEnd::succeeded || doubled_.contains(item.job.id) || !dice_.chance(0.3)) return;
  item.end = AttemptEnd::lost;
  doubled_[item.job.id].asked = {route, request};
}

bool Saboteur::forge_cancelled(server::Route route, const wire::Message& message, const queue::Core& core, Now now) {
  const auto* cancel = std::get_if<wire::Cancel>(&message.body);
  if (cancel == nullptr) return false;
  wire::Results answer;
  for (const JobId& id : cancel->ids) {
    const auto view = core.view(id, now);
    if (!view || is_final(view->state) || view->state == JobState::running) return false;
    wire::ItemResult result;
    result.id = id;
    result.state = JobState::cancelled;
    answer.items.push_back(result);
  }
  forged_.push_back({server::Side::client, route, encoded({message.request, answer})});
  return true;
}

// --- what goes out ------------------------------------------------------------------------------------------------------

Saboteur::Frames Saboteur::outbound(Frame frame) {
  Frames out;
  if (canary_ == Canary::none) {
    out.push_back(std::move(frame));
    return out;
  }
  Result<wire::Message> message = decoder_.decode(frame.bytes);
  if (!message.ok()) {
    out.push_back(std::move(frame));
    return out;
  }
  ++frames_out_;
  Frames more;
  release_old(more);
  if (rewrite_answer(frame.route, *message, more)) out.push_back({frame.side, frame.route, encoded(*message)});
  for (Frame& one : more) out.push_back(std::move(one));
  return out;
}

bool Saboteur::rewrite_answer(server::Route route, wire::Message& message, Frames& out) {
  if (auto* welcome = std::get_if<wire::Welcome>(&message.body); welcome != nullptr && welcome->lease.count() > 0) {
    note_welcome(route, message.request);
    const auto forgive = [](std::vector<Code>& codes) { std::replace(codes.begin(), codes.end(), Code::stale, Code::ok); };
    if (is(Canary::stale_kept)) forgive(welcome->started);
    if (is(Canary::stale_taken)) forgive(welcome->finished);
  } else if (auto* dispatch = std::get_if<wire::Dispatch>(&message.body)) {
    return rewrite_dispatch(route, message, *dispatch, out);
  } else if (auto* completed = std::get_if<wire::Completed>(&message.body)) {
    return rewrite_completed(route, message, *completed, out);
  } else if (auto* listed = std::get_if<wire::Listed>(&message.body)) {
    if (is(Canary::gap_in_list) && listed->jobs.size() > 2) listed->jobs.erase(listed->jobs.begin() + 1);
    if (is(Canary::list_repeats) && !listed->jobs.empty()) listed->jobs.push_back(listed->jobs.front());
  } else if (const auto* error = std::get_if<wire::ErrorReply>(&message.body)) {
    if (error->code == Code::no_session) workers_.erase(route);
    if (is(Canary::swallowed_refusal)) return false;
  } else if (auto* notify = std::get_if<wire::Notify>(&message.body)) {
    if (is(Canary::lost_wait) && dice_.chance(0.3)) return false;
    for (wire::NotifyItem& item : notify->items) {
      if (is(Canary::unsent_loss)) item.losses += 2;
      if (is(Canary::invented_result) && item.state == JobState::succeeded) item.report.result = "did 9.9";
    }
  }
  return true;
}

bool Saboteur::rewrite_dispatch(server::Route route, wire::Message& message, wire::Dispatch& dispatch, Frames& out) {
  bool again = false;
  for (const wire::DispatchItem& item : dispatch.items) again = again || dispatched_.contains(item.id);
  if (is(Canary::swapped_payload) && dispatch.items.size() > 1) {
    std::swap(dispatch.items.front().payload, dispatch.items.back().payload);
  }
  if (is(Canary::swapped_headers) && dispatch.shared.size() > 1) {
    std::swap(dispatch.shared.front().spec, dispatch.shared.back().spec);
  }
  if (is(Canary::late_expiry)) {
    for (wire::DispatchItem& item : dispatch.items) item.expires_in = expiries_[item.id];
  }
  const std::string bytes = encoded(message);
  if (is(Canary::late_dispatch) && hold_back(route, dispatch, bytes, out)) return false;
  if (taken_) {
    taken_->behind.push_back({server::Side::worker, route, bytes});
    return false;
  }
  if (is(Canary::second_success)) release_late_answers(dispatch, out);
  for (const wire::DispatchItem& item : dispatch.items) dispatched_[item.id] = bytes;
  if (is(Canary::lost_requeue) && again) return false;
  if (is(Canary::double_dispatch) && dice_.chance(0.2)) {
    for (const auto& [other, session] : workers_) {
      if (other != route) {
        out.push_back({server::Side::worker, other, bytes});
        break;
      }
    }
  }
  return true;
}

bool Saboteur::rewrite_completed(server::Route route, const wire::Message& message, wire::Completed& completed,
                                 Frames& out) {
  const std::pair asked{route, message.request};
  if (is(Canary::stale_told_ok)) std::replace(completed.codes.begin(), completed.codes.end(), Code::stale, Code::ok);
  if (is(Canary::rerun_finished)) send_again(route, message, out);
  if (taken_ && taken_->asked == asked) {
    for (Frame& one : taken_->behind) out.push_back(std::move(one));
    taken_.reset();
  }
  for (auto& [id, doubled] : doubled_) {
    if (doubled.answered || doubled.asked != asked) continue;
    doubled.answer = encoded(message);
    return false;
  }
  return true;
}

bool Saboteur::hold_back(server::Route route, const wire::Dispatch& dispatch, const std::string& bytes, Frames& out) {
  for (const wire::DispatchItem& item : dispatch.items) {
    const auto held = held_back_.find(item.id);
    if (held == held_back_.end()) continue;
    out.push_back({server::Side::worker, route, bytes});
    send_held(held->second.session, held->second.bytes, out);
    held_back_.erase(held);
    return true;
  }
  const auto worker = workers_.find(route);
  if (worker == workers_.end() || !dice_.chance(0.2)) return false;
  // One is enough to find it by when it leaves.
  held_back_[dispatch.items.front().id] = {worker->second, bytes, frames_out_};
  return true;
}

void Saboteur::send_held(const Uuid& session, const std::string& bytes, Frames& out) const {
  for (const auto& [route, worker] : workers_) {
    if (worker == session) return out.push_back({server::Side::worker, route, bytes});
  }
}

// Nobody else was given the job: it leaves after all, for a dispatch that never leaves would be another bug. So would be
// all that waits for an answer that does not come.
void Saboteur::release_old(Frames& out) {
  static constexpr std::uint64_t kPatience = 400;
  std::erase_if(held_back_, [&](const auto& entry) {
    const HeldBack& held = entry.second;
    if (frames_out_ < held.since + kPatience) return false;
    send_held(held.session, held.bytes, out);
    return true;
  });
  if (!taken_ || frames_out_ < taken_->since + kPatience) return;
  for (Frame& one : taken_->behind) out.push_back(std::move(one));
  taken_.reset();
}

// The job leaves once more: now its first run may be told to count.
void Saboteur::release_late_answers(const wire::Dispatch& dispatch, Frames& out) {
  for (const wire::DispatchItem& item : dispatch.items) {
    const auto at = doubled_.find(item.id);
    if (at == doubled_.end() || at->second.answered) continue;
    at->second.answered = true;
    if (!at->second.answer.empty()) out.push_back({server::Side::worker, at->second.asked.first, at->second.answer});
  }
}

// The job that this answer counts as done goes out once more.
void Saboteur::send_again(server::Route route, const wire::Message& completed, Frames& out) {
  const auto asked = succeeding_.find({route, completed.request});
  if (asked == succeeding_.end() || !dice_.chance(0.1)) return;
  for (const JobId& id : asked->second) {
    const auto known = dispatched_.find(id);
    if (known == dispatched_.end()) continue;
    wire::Decoder decoder;
    Result<wire::Message> old = decoder.decode(known->second);
    auto& dispatch = std::get<wire::Dispatch>(old->body);
    std::erase_if(dispatch.items, [&](const wire::DispatchItem& item) { return item.id != id; });
    for (wire::DispatchItem& item : dispatch.items) item.dispatch += 1'000'000;
    out.push_back({server::Side::worker, route, encoded(*old)});
    return;
  }
}

// --- the disk -----------------------------------------------------------------------------------------------------------

void Saboteur::before_commit(SimBatch& batch) {
  if (!is(Canary::lost_accept) && !is(Canary::lost_outcome)) return;
  std::erase_if(batch.changes(), [this](const std::unique_ptr<Staged>& staged) {
    const queue::Change& change = staged->change;
    const bool loses = is(Canary::lost_accept) ? std::holds_alternative<queue::JobAccepted>(change.body)
                                               : std::holds_alternative<queue::JobFinished>(change.body);
    const queue::Sequence sequence = sequence_of(change);
    if (loses && dice_.chance(0.1)) lost_.insert(sequence);
    if (!lost_.contains(sequence) || sequence == 0) return false;
    if (const auto* revived = std::get_if<queue::JobRevived>(&change.body)) lost_.insert(revived->state.sequence);
    return true;
  });
}

void Saboteur::after_read(server::ReadTask& task) {
  if (is(Canary::ignored_read_error) && !task.status.ok() && looks_up(task)) {
    task.status = {};
    for (const JobId& id : task.ids) task.found.asked(id);
  }
  const auto for_a_client = [](const server::ReadTask::Reader& one) { return one.want != server::ReadTask::Want::facts; };
  if (!is(Canary::forgotten_dedup) || task.ids.empty() || std::ranges::any_of(task.readers, for_a_client)) return;
  task.found = server::FoundJobs{};
  for (const JobId& id : task.ids) task.found.asked(id);
}

}  // namespace rota::sim

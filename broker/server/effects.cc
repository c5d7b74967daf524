#include <span>
#include <utility>
#include <variant>

#include "broker/server/dispatch_frames.h"
#include "broker/server/engine.h"
#include "common/base/check.h"
#include "common/base/limits.h"

// What the core decided goes out from here: changes into the batches, messages as frames behind them.
namespace rota::server {
namespace {

constexpr std::string_view kForgotten = "the job was purged";

}  // namespace

void Engine::process() {
  for (queue::Change& change : effects_.changes) stage(change);
  for (const queue::Message& message : effects_.messages) tell(message);
}

void Engine::stage(queue::Change& change) {
  const bool stored = change.durability != Durability::memory;
  progress_.note(change.body);
  if (auto* finished = std::get_if<queue::JobFinished>(&change.body)) {
    report_.clear();
    if (explain_end(finished->outcome, report_)) finished->outcome.report = report_;
    notices_.job_ended(finished->outcome, change.durability);
  } else if (const auto* forgotten = std::get_if<queue::JobForgotten>(&change.body)) {
    notices_.job_forgotten(forgotten->id, kForgotten, change.durability);
  } else if (stored && std::holds_alternative<queue::JobRevived>(change.body)) {
    pipeline_.note_revival();
  }
  if (stored) {
    pipeline_.batch().stage(change);
  } else {
    volatile_batch_->stage(change);
  }
}

void Engine::tell(const queue::Message& message) {
  frame_.clear();
  std::visit([this, &message](const auto& body) { tell(body, message.at_once); }, message.body);
}

// --- to clients ---------------------------------------------------------------------------------------------------------

void Engine::tell(const queue::ItemReplies& replies, bool at_once) {
  const auto items = std::span(effects_.item_replies).subspan(replies.items.first, replies.items.count);
  if (current_.kind == Current::Kind::bulk) return count_bulk(items);
  for (const queue::ItemReply& item : items) ++counters_.refusals[static_cast<std::size_t>(item.code)];
  Peer* peer = sessions_.find(replies.client);
  if (peer == nullptr) return;
  if (current_.kind == Current::Kind::cancel_or_retry) {
    outbound_.results(replies, effects_, frame_);
    reply(replies.client, *peer, at_once);
    return;
  }
  outbound_.submitted(replies, effects_, asked_ids_, frame_);
  reply(replies.client, *peer, at_once);
  if (!current_.notify) return;
  const Waiters::Waiter waiter{replies.client, replies.request, true};
  for (const queue::ItemReply& item : items) {
    if (item.code != Code::ok && item.code != Code::duplicate) continue;
    if (is_final(item.state)) {
      finals_.push_back(item.id);
    } else {
      (void)waiters_.add(item.id, waiter);  // room was checked before
    }
  }
}

void Engine::tell(const queue::SimpleReply& answer, bool at_once) {
  ++counters_.refusals[static_cast<std::size_t>(answer.code)];
  Peer* peer = sessions_.find(answer.client);
  if (peer == nullptr) return;
  wire::AdminReply out;
  out.code = answer.code;
  out.message = answer.reason;
  encode_simple(answer.request, out, frame_);
  reply(answer.client, *peer, at_once);
}

// --- to workers ---------------------------------------------------------------------------------------------------------

Peer* Engine::peer_of(queue::SessionRef session, Route& route) {
  const WorkerDetails* worker = sessions_.worker(session);
  if (worker == nullptr || worker->route == 0) return nullptr;  // away: its next HELLO reconciles
  route = worker->route;
  return sessions_.find(route);
}

void Engine::tell_session(queue::SessionRef session, bool at_once) {
  Route route = 0;
  Peer* peer = peer_of(session, route);
  if (peer != nullptr) reply(route, *peer, at_once);
}

void Engine::tell(const queue::WorkerWelcomed& answer, bool at_once) {
  Peer* peer = sessions_.find(answer.route);
  if (peer == nullptr || current_.hello == nullptr) return;
  if (answer.code != Code::ok) {
    ++counters_.refusals[static_cast<std::size_t>(answer.code)];
    encode_error(current_.request, answer.code, answer.reason, Millis{0}, frame_);
    reply(answer.route, *peer, at_once);
    return;
  }
  const wire::Hello& hello = *current_.hello;
  WorkerDetails details;
  details.name = hello.name;
  details.software = hello.software;
  for (const wire::Pair& label : hello.labels) {
    if (!details.labels.empty()) details.labels += ',';
    details.labels.append(label.first).append("=").append(label.second);
  }
  (void)sessions_.bind(answer.session, answer.route, std::move(details));
  wire::Welcome welcome = make_welcome(current_.now);
  welcome.lease = options_.lease;
  outbound_.welcome(answer, effects_, std::move(welcome), current_.request, frame_);
  reply(answer.route, *peer, at_once);
}

void Engine::tell(const queue::Dispatch& dispatch, bool at_once) {
  Route route = 0;
  Peer* peer = peer_of(dispatch.session, route);
  if (peer == nullptr) return;
  const auto items = std::span(effects_.dispatches).subspan(dispatch.items.first, dispatch.items.count);
  dispatch_.route = route;
  dispatch_.departure = {dispatch.session, sessions_.worker(dispatch.session)->binding, items.back().token.dispatch,
                         items.back().durability == Durability::memory};
  dispatch_.items.assign(items.begin(), items.end());
  dispatch_.wanted.clear();
  dispatch_.bodies.reset(items.size());
  for (std::size_t i = 0; i < items.size(); ++i) {
    const bool stored = items[i].durability != Durability::memory;
    const store::Batch& batch = stored ? pipeline_.batch() : *volatile_batch_;
    if (const std::optional<store::Batch::Body> body = batch.find(items[i].sequence)) {
      dispatch_.bodies.put(i, *body);
    } else if (stored) {
      dispatch_.wanted.push_back(static_cast<std::uint32_t>(i));
    } else {
      commit_volatile();  // a job that was retried in this turn has its body there only then
      (void)volatile_store_.bodies(std::span(&items[i].sequence, 1),
                                   [&](std::size_t, const store::Batch::Body& found) { dispatch_.bodies.put(i, found); });
    }
  }
  if (!dispatch_.wanted.empty()) {
    pipeline_.send(std::move(dispatch_), *peer);
    dispatch_ = PendingDispatch{};
    return;
  }
  encode_dispatch(dispatch_.items, dispatch_.bodies,
                  [&](std::string_view frame) { pipeline_.send(route, *peer, frame, at_once, dispatch_.departure); });
}

bool Engine::leaves(const Departure& departure) {
  const WorkerDetails* worker = sessions_.worker(departure.session);
  if (worker == nullptr || worker->binding != departure.binding) return false;
  core_.dispatch_left(departure.session, departure.through, departure.in_memory);
  return true;
}

void Engine::tell(const queue::CompleteReply& answer, bool at_once) {
  for (const Code code : std::span(effects_.codes).subspan(answer.codes.first, answer.codes.count)) {
    ++counters_.refusals[static_cast<std::size_t>(code)];
  }
  outbound_.completed(answer, effects_, frame_);
  tell_session(answer.session, at_once);
}

void Engine::tell(const queue::ReclaimRequest& request, bool at_once) {
  outbound_.reclaim(request, effects_, frame_);
  tell_session(request.session, at_once);
}

void Engine::tell(const queue::CancelRequest& request, bool at_once) {
  outbound_.cancel_jobs(request, effects_, frame_);
  tell_session(request.session, at_once);
}

void Engine::tell(const queue::DrainRequest& request, bool at_once) {
  encode_simple(0, wire::Drain{}, frame_);
  tell_session(request.session, at_once);
}

// The peer learns it from NO_SESSION at its next message; one that said goodbye is gone anyway.
void Engine::tell(const queue::SessionEnded& ended, bool /*at_once*/) { (void)sessions_.end(ended.session); }

}  // namespace rota::server

#include <string_view>
#include <utility>

#include "broker/server/engine.h"
#include "common/base/limits.h"

// SUBMIT, CANCEL and RETRY of clients, and their HELLO.
namespace rota::server {

wire::Welcome Engine::make_welcome(Now now) const {
  wire::Welcome welcome;
  welcome.broker_id = options_.broker_id;
  welcome.software = options_.software;
  welcome.wall = core_.id_clock(now);
  welcome.slots.push_back(wire::SlotRange{0, 4095, options_.epoch});
  welcome.max_payload = options_.max_payload;
  welcome.max_batch = limits::kMaxBatch;
  welcome.max_message = limits::max_message_bytes(static_cast<std::size_t>(options_.max_payload));
  welcome.dedup_window = options_.dedup_window;
  welcome.clients_endpoint = options_.clients_endpoint;
  welcome.workers_endpoint = options_.workers_endpoint;
  return welcome;
}

void Engine::on_client_hello(Asked& asked, const wire::Hello& hello) {
  if (hello.slots != 0 || !hello.queues.empty()) {
    ++counters_.bad_messages;
    return refuse(asked, Code::bad_message,
                  "this is the clients' endpoint; a worker connects to the workers' one, " + options_.workers_endpoint);
  }
  asked.peer->welcomed = true;
  frame_.clear();
  encode_simple(asked.request, make_welcome(asked.now), frame_);
  send_now(asked.side, asked.route, frame_);
}

template <typename Items, typename IdOf>
bool Engine::parked_for(Asked& asked, const Items& items, IdOf id_of) {
  found_.clear();
  bool complete = true;
  for (const auto& item : items) {
    const JobId& id = id_of(item);
    if (!core_.must_look_up(id, asked.now)) continue;
    if (asked.known == nullptr || !asked.known->asked(id)) {
      complete = false;
      break;
    }
    if (const queue::FinishedJob* job = asked.known->find(id); job != nullptr) found_.push_back(*job);
  }
  if (complete) return false;
  // All of them, also those read for before: they are handled together, each from the newest look. With those that the
  // core may have forgotten by then.
  wants_.clear();
  for (const auto& item : items) want_final(id_of(item), asked.now);
  park(asked, true);
  return true;
}

// Why none of it can be taken now. Before apply: what is refused changes nothing.
std::optional<Error> Engine::refuses_submit(const wire::Submit& submit) {
  if (stopping_) return Error{Code::shutting_down, "the broker is stopping; try again when it is back"};
  bool any_stored = false;
  bool any_volatile = false;
  for (const wire::SubmitShared& shared : submit.shared) {
    (shared.options.durability == Durability::memory ? any_volatile : any_stored) = true;
  }
  if (any_stored && !options_.keeps_on_disk) {
    return Error{Code::conflict,
                 "this broker keeps nothing on disk (--store memory): fsync jobs cannot be promised; submit with "
                 "--durability memory"};
  }
  if (any_stored) {
    // Asked again within a turn as well: one turn can bring more than the store's whole reserve.
    const std::size_t staged = pipeline_.uncommitted_bytes();
    if (!usage_ || staged > staged_then_ + limits::kStagedUnseen) {
      usage_ = store_.usage();
      staged_then_ = staged;
    }
    if (!usage_->accepts_submits) return Error{usage_->grows ? Code::retry_later : Code::store_full, usage_->why_not};
  }
  if (any_volatile) {
    // Memory is asked anew: it counts what this turn brought.
    const store::Usage usage = volatile_store_.usage();
    if (!usage.accepts_submits) return Error{Code::retry_later, usage.why_not};
  }
  if (pipeline_.uncommitted_bytes() + pipeline_.held_bytes() > limits::kMaxUncommittedBytes) {
    return Error{Code::retry_later, "the disk does not keep up: too much waits to be synced; try again"};
  }
  return std::nullopt;
}

void Engine::on_submit(Asked& asked, const wire::Submit& submit) {
  if (const std::optional<Error> refusal = refuses_submit(submit)) {
    const bool later = refusal->code == Code::retry_later || refusal->code == Code::store_full;
    refuse(asked, refusal->code, refusal->message, later ? limits::kRetryLaterHint : Millis{0});
    return;
  }
  if (submit.notify && !waiters_.has_room(asked.route, submit.items.size())) {
    refuse(asked, Code::retry_later, "too many jobs are waited for; submit without notify or wait for fewer at a time",
           limits::kRetryLaterHint);
    return;
  }
  if (parked_for(asked, submit.items, [](const wire::SubmitItem& item) -> const JobId& { return item.id; })) return;
  asked_ids_.clear();
  for (const wire::SubmitItem& item : submit.items) asked_ids_.push_back(item.id);
  current_ = Current{Current::Kind::submit, asked.request, submit.notify, nullptr, asked.now};
  finals_.clear();
  effects_.clear();
  core_.apply(inbound_.submit(submit, asked.route, asked.request, found_), asked.now, effects_);
  process();
  if (!finals_.empty()) wait_for_finals(asked);
}

// Jobs that were final already when they were submitted again: the notice comes from the store, as for a WAIT.
void Engine::wait_for_finals(Asked& asked) {
  wire::Wait wait;
  wait.with_result = true;
  wait.ids = finals_;
  std::string bytes;
  encode_simple(asked.request, wait, bytes);
  Asked again = asked;
  again.frame = bytes;
  again.known = nullptr;
  again.looks = 0;
  on_wait(again, wait);
  asked.parked = again.parked;
}

void Engine::on_cancel(Asked& asked, const wire::Cancel& cancel) {
  if (parked_for(asked, cancel.ids, [](const JobId& id) -> const JobId& { return id; })) return;
  current_ = Current{Current::Kind::cancel_or_retry, asked.request, false, nullptr, asked.now};
  effects_.clear();
  core_.apply(inbound_.cancel(cancel, asked.route, asked.request, found_), asked.now, effects_);
  process();
}

void Engine::on_retry(Asked& asked, const wire::Retry& retry) {
  // What was read before a purge decided may be forgotten by now: read it again.
  if (asked.known != nullptr && asked.known->last_batch() < forgotten_in_) asked.known = nullptr;
  if (parked_for(asked, retry.items, [](const wire::Retry::Item& item) -> const JobId& { return item.id; })) return;
  current_ = Current{Current::Kind::cancel_or_retry, asked.request, false, nullptr, asked.now};
  effects_.clear();
  core_.apply(inbound_.retry(retry, asked.route, asked.request, found_, dropped(retry, asked.now)), asked.now, effects_);
  process();
}

// Of finished memory jobs that the core knows, those whose payload --memory-limit has taken. The others' is held until the
// retry has it.
std::vector<JobId> Engine::dropped(const wire::Retry& retry, Now now) {
  std::vector<JobId> ids;
  for (const wire::Retry::Item& item : retry.items) {
    const std::optional<queue::JobView> view = core_.view(item.id, now);
    if (view && is_final(view->state) && view->policy.durability == Durability::memory) ids.push_back(item.id);
  }
  if (ids.empty()) return ids;
  commit_volatile();
  ReadTask task;
  task.ids = std::move(ids);
  task.brief = true;
  look_up_in_memory(volatile_store_, task);
  return std::move(task.ids);
}

// --- workers' messages that name jobs share the look-up ------------------------------------------------------------------

void Engine::on_worker_hello(Asked& asked, const wire::Hello& hello) {
  if (hello.session.is_nil() && hello.slots == 0 && hello.queues.empty()) {
    ++counters_.bad_messages;
    return refuse(asked, Code::bad_message,
                  "this is the workers' endpoint; a client connects to the clients' one, " + options_.clients_endpoint);
  }
  if (hello.session.is_nil() || hello.name.empty() || hello.slots == 0 || hello.queues.empty()) {
    ++counters_.bad_messages;
    refuse(asked, Code::bad_message, "a worker's HELLO names its session, name, slots and queues");
    return;
  }
  if (parked_for(asked, hello.finished, [](const wire::TokenOf& token) -> const JobId& { return token.id; })) {
    effects_.clear();
    return core_.apply(queue::WorkerHeard{queue::kNoSession, hello.session}, asked.now, effects_);
  }
  current_ = Current{Current::Kind::hello, asked.request, false, &hello, asked.now};
  effects_.clear();
  core_.apply(inbound_.hello(hello, asked.route, found_), asked.now, effects_);
  process();
}

void Engine::on_complete(Asked& asked, const wire::Complete& complete) {
  if (parked_for(asked, complete.items, [](const wire::CompleteItem& item) -> const JobId& { return item.job.id; })) return;
  const queue::SessionRef session = asked.peer->session;
  const WorkerDetails* worker = sessions_.worker(session);
  const std::string_view name = worker != nullptr ? std::string_view(worker->name) : std::string_view();
  current_ = Current{};
  effects_.clear();
  core_.apply(inbound_.complete(complete, session, name, asked.request, found_), asked.now, effects_);
  process();
}

void Engine::on_renew(Asked& asked, const wire::Renew& renew) {
  current_ = Current{};
  effects_.clear();
  core_.apply(queue::Renew{asked.peer->session, renew.started_through, renew.credit}, asked.now, effects_);
  process();
  for (const wire::Renew::Progress& progress : renew.progress) {
    const std::optional<queue::JobView> view = core_.view(progress.job.id, asked.now);
    if (!view || view->state != JobState::running || view->token != progress.job.token) continue;
    progress_.set(progress.job.token, progress.fraction, progress.message);
  }
  // A session that the core ended just now gets no renewal.
  if (!asked.peer->welcomed) return;
  frame_.clear();
  encode_simple(asked.request, wire::Renewed{options_.lease}, frame_);
  send_now(asked.side, asked.route, frame_);
}

void Engine::on_released(Asked& asked, const wire::Released& released) {
  current_ = Current{};
  effects_.clear();
  const queue::SessionRef session = asked.peer->session;
  core_.apply(inbound_.released(released, session), asked.now, effects_);
  process();
  effects_.clear();
  core_.apply(queue::Renew{session, 0, released.credit}, asked.now, effects_);
  process();
}

}  // namespace rota::server

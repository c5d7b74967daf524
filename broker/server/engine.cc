#include "broker/server/engine.h"

#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>

#include <absl/container/flat_hash_set.h>

#include "common/base/check.h"
#include "common/base/limits.h"

namespace rota::server {
namespace {

// Waits of departed clients dropped in one turn: well under a millisecond.
constexpr std::size_t kSweepWaits = 4096;

wire::DecodeLimits decode_limits(const EngineOptions& options) {
  wire::DecodeLimits limits;
  limits.max_payload = options.max_payload;
  return limits;
}

// These overtake requests that wait for the store: nothing they say depends on order.
bool overtakes(const wire::Message& message) {
  return std::holds_alternative<wire::Ping>(message.body) || std::holds_alternative<wire::Goodbye>(message.body);
}

// Whether peers of either side send such a message; the rest only the broker does.
bool comes_from_peers(const wire::Message& message) {
  return std::visit(
      [](const auto& body) {
        using Body = std::decay_t<decltype(body)>;
        return std::disjunction_v<
            std::is_same<Body, wire::Hello>, std::is_same<Body, wire::Ping>, std::is_same<Body, wire::Goodbye>,
            std::is_same<Body, wire::Submit>, std::is_same<Body, wire::Wait>, std::is_same<Body, wire::Get>,
            std::is_same<Body, wire::Cancel>, std::is_same<Body, wire::Retry>, std::is_same<Body, wire::List>,
            std::is_same<Body, wire::Admin>, std::is_same<Body, wire::Complete>, std::is_same<Body, wire::Renew>,
            std::is_same<Body, wire::Released>>;
      },
      message.body);
}

// Sends notices to the clients that are still there.
class NoticePost final : public Notices::Sink {
 public:
  NoticePost(Sessions& sessions, Pipeline& pipeline, const Outbox& outbox, std::uint64_t& sent)
      : sessions_(sessions), pipeline_(pipeline), outbox_(outbox), sent_(sent) {}

  [[nodiscard]] std::size_t open_bytes(Route client) const override {
    const Peer* peer = sessions_.find(client);
    return peer == nullptr ? 0 : outbox_.unread(peer->side, client) + peer->held.behind(pipeline_.released());
  }
  [[nodiscard]] std::uint64_t send(Route client, std::string_view frame, bool at_once) override {
    Peer* peer = sessions_.find(client);
    if (peer == nullptr) return 0;
    ++sent_;
    pipeline_.send(client, *peer, frame, at_once);
    return peer->held.last() == pipeline_.number() ? pipeline_.number() : 0;
  }
  [[nodiscard]] std::uint64_t released() const override { return pipeline_.released(); }

 private:
  Sessions& sessions_;
  Pipeline& pipeline_;
  const Outbox& outbox_;
  std::uint64_t& sent_;
};

}  // namespace

Engine::Engine(EngineOptions options, queue::Core& core, store::Store& store, store::Store& volatile_store, Outbox& outbox,
               StorePort& port)
    : options_(std::move(options)),
      core_(core),
      store_(store),
      volatile_store_(volatile_store),
      outbox_(outbox),
      port_(port),
      pipeline_(store, outbox, port, static_cast<DispatchGate&>(*this)),
      volatile_batch_(volatile_store.new_batch()),
      parking_(volatile_store, port),
      listings_(core, volatile_store, port),
      decoder_(decode_limits(options_)) {}

Engine::~Engine() = default;

// --- what comes in ------------------------------------------------------------------------------------------------------

void Engine::on_frame(Side side, Route route, std::string_view frame, Now now) {
  ++counters_.frames_in;
  Asked asked;
  asked.side = side;
  asked.route = route;
  asked.frame = frame;
  asked.now = now;
  asked.peer = sessions_.hear(side, route, now);
  if (asked.peer == nullptr) {
    ++counters_.refused_peers;
    refuse(asked, Code::retry_later, "the broker serves as many connections as it may; try again later", Millis{5000});
    outbox_.forget(side, route);
    return;
  }
  handle(asked);
}

void Engine::on_malformed(Side side, Route route, Now now) {
  ++counters_.frames_in;
  ++counters_.bad_messages;
  Asked asked;
  asked.side = side;
  asked.route = route;
  asked.now = now;
  refuse(asked, Code::bad_message, "a message of this protocol is one frame behind the routing id");
  if (sessions_.hear(side, route, now) == nullptr) outbox_.forget(side, route);
}

void Engine::on_closed(Route route, Now now) {
  const Peer* peer = sessions_.find(route);
  if (peer == nullptr) return;
  const Side side = peer->side;
  const queue::SessionRef session = peer->session;
  if (side == Side::client) waiters_.forget_client(route);
  parking_.drop(route);
  listings_.drop(route);
  sessions_.remove(route);
  outbox_.forget(side, route);
  if (session == queue::kNoSession) return;
  // The session lives on, without a connection until the worker is back or its lease ends.
  current_ = Current{};
  effects_.clear();
  core_.apply(queue::WorkerUnreachable{session, {}}, now, effects_);
  process();
}

void Engine::on_undelivered(std::string_view frame, Now now) {
  const Result<wire::Message> decoded = decoder_.decode(frame);
  if (!decoded.ok()) return;
  const auto* dispatch = std::get_if<wire::Dispatch>(&decoded.value().body);
  if (dispatch == nullptr) return;
  undelivered_.clear();
  for (const wire::DispatchItem& item : dispatch->items)
    undelivered_.push_back({item.id, {dispatch->epoch, item.dispatch}});
  current_ = Current{};
  effects_.clear();
  core_.apply(queue::WorkerUnreachable{queue::kNoSession, undelivered_}, now, effects_);
  process();
}

void Engine::handle(Asked& asked) {
  Result<wire::Message> decoded = decoder_.decode(asked.frame);
  if (!decoded.ok()) {
    asked.request = decoder_.last_request();
    ++counters_.bad_messages;
    refuse(asked, decoded.error().code, decoded.error().message);
    return;
  }
  const wire::Message& message = decoded.value();
  asked.request = message.request;
  if (asked.peer->parked > 0 && !asked.resumed && !overtakes(message)) return park_behind(asked, message);
  if (std::holds_alternative<wire::Ping>(message.body) && asked.peer->welcomed) {
    frame_.clear();
    encode_simple(asked.request, wire::Pong{}, frame_);
    send_now(asked.side, asked.route, frame_);
    return;
  }
  if (!asked.peer->welcomed && comes_from_peers(message) && !std::holds_alternative<wire::Hello>(message.body)) {
    // A goodbye without a session has nothing to end.
    if (std::holds_alternative<wire::Goodbye>(message.body)) return;
    refuse(asked, Code::no_session, "no session on this connection; say HELLO first");
    return;
  }
  if (asked.side == Side::client) {
    handle_client(asked, message);
  } else {
    handle_worker(asked, message);
  }
}

void Engine::handle_client(Asked& asked, const wire::Message& message) {
  if (const auto* hello = std::get_if<wire::Hello>(&message.body)) return on_client_hello(asked, *hello);
  if (const auto* submit = std::get_if<wire::Submit>(&message.body)) return on_submit(asked, *submit);
  if (const auto* wait = std::get_if<wire::Wait>(&message.body)) return on_wait(asked, *wait);
  if (const auto* get = std::get_if<wire::Get>(&message.body)) return on_get(asked, *get);
  if (const auto* cancel = std::get_if<wire::Cancel>(&message.body)) return on_cancel(asked, *cancel);
  if (const auto* retry = std::get_if<wire::Retry>(&message.body)) return on_retry(asked, *retry);
  if (const auto* list = std::get_if<wire::List>(&message.body)) return on_list(asked, *list);
  if (const auto* admin = std::get_if<wire::Admin>(&message.body)) return on_admin(asked, *admin);
  if (std::holds_alternative<wire::Goodbye>(message.body)) return on_closed(asked.route, asked.now);
  ++counters_.bad_messages;
  refuse(asked, Code::bad_message, "this message is not one that a client sends");
}

void Engine::handle_worker(Asked& asked, const wire::Message& message) {
  if (const auto* hello = std::get_if<wire::Hello>(&message.body)) return on_worker_hello(asked, *hello);
  if (const auto* complete = std::get_if<wire::Complete>(&message.body)) return on_complete(asked, *complete);
  if (const auto* renew = std::get_if<wire::Renew>(&message.body)) return on_renew(asked, *renew);
  if (const auto* released = std::get_if<wire::Released>(&message.body)) return on_released(asked, *released);
  if (std::holds_alternative<wire::Goodbye>(message.body)) {
    effects_.clear();
    core_.apply(queue::WorkerGoodbye{asked.peer->session}, asked.now, effects_);
    current_ = Current{};
    process();
    return;
  }
  ++counters_.bad_messages;
  refuse(asked, Code::bad_message, "this message is not one that a worker sends");
}

// --- requests that wait for the store -----------------------------------------------------------------------------------

void Engine::resume(Now now) {
  while (const Route route = parking_.take_ready()) {
    while (const Parking::Frame* frame = parking_.head(route)) {
      Asked asked;
      asked.side = frame->side;
      asked.route = route;
      asked.frame = frame->bytes;
      asked.now = now;
      asked.peer = sessions_.find(route);
      asked.known = frame->known.get();
      asked.looks = frame->looks;
      asked.resumed = true;
      ROTA_CHECK(asked.peer != nullptr);  // its line goes with it
      handle(asked);
      if (asked.parked) break;
      parking_.pop(route);
      --asked.peer->parked;
    }
  }
}

void Engine::on_committed(std::unique_ptr<CommitTask> task) {
  ++counters_.commits;
  counters_.committed_jobs += task->info.jobs;
  counters_.store_bytes_written += task->info.bytes;
  const auto took_us = static_cast<std::uint64_t>(task->microseconds);
  counters_.commit_us += took_us;
  counters_.commit_time.add(took_us);
  counters_.commit_jobs.add(task->info.jobs);
  pipeline_.on_committed(*task);
}

void Engine::on_read(std::unique_ptr<ReadTask> task, Now now) {
  ++counters_.store_reads;
  if (!task->status.ok()) {
    fault_ = task->status;
    return;
  }
  switch (task->asker) {
    case ReadTask::Asker::pipeline:
      return pipeline_.on_read(*task);
    case ReadTask::Asker::listings:
      return listings_.on_read(std::move(task));
    case ReadTask::Asker::bulk:
      return on_bulk_read(*task, now);
    case ReadTask::Asker::parking:
      parking_.on_read(std::move(task));
      resume(now);
  }
}

// --- the turn -----------------------------------------------------------------------------------------------------------

void Engine::end_turn(Now now) {
  notices_.begin_turn();
  if (!stopping_) {
    // What is left of a full store's reserve is for the ends of what runs.
    core_.hold_dispatch(store_.usage().is_tight);
    bulk_slice(now);
    effects_.clear();
    core_.tick(now, effects_);
    current_ = Current{};
    process();
  }
  listings_.step(pipeline_, now);
  answer_lists(now);
  hand_over(now);
  parking_.issue(pipeline_);
  if (parking_.any_ready()) {
    // Answered without the disk.
    resume(now);
    hand_over(now);
    parking_.issue(pipeline_);
  }
  waiters_.sweep(kSweepWaits);
  maintain_volatile(now);
  routes_.clear();
  sessions_.silent(now, routes_);
  for (const Route route : routes_) on_closed(route, now);
  usage_.reset();
}

// What the turn decided and says goes on its way.
void Engine::hand_over(Now now) {
  NoticePost post(sessions_, pipeline_, outbox_, counters_.notices);
  notices_.flush(post);
  commit_volatile();
  pipeline_.end_turn(core_.id_clock(now));
}

void Engine::commit_volatile() {
  if (volatile_batch_->empty()) return;
  const Result<store::CommitInfo> done = volatile_store_.commit(*volatile_batch_);
  ROTA_CHECK(done.ok());
  volatile_batch_ = volatile_store_.new_batch();
}

// Memory jobs are forgotten when their time is over too. A slice a turn: there is no thread for it.
void Engine::maintain_volatile(Now now) {
  const Result<store::MaintainInfo> done = volatile_store_.maintain(core_.id_clock(now));
  ROTA_CHECK(done.ok());
  counters_.forgotten += done->forgotten;
  counters_.forgotten_early += done->forgotten_early;
}

Steady Engine::next_deadline(Now now) const {
  if (parking_.any_ready() || notices_.is_due(pipeline_.released())) return now.steady;
  if (bulk_is_due() || listings_.any_due(pipeline_)) return now.steady;
  return stopping_ ? kNeverSteady : core_.next_deadline();
}

void Engine::begin_shutdown() { stopping_ = true; }

bool Engine::is_settled() const { return pipeline_.idle() && notices_.empty(); }

void Engine::say_goodbye() {
  frame_.clear();
  encode_simple(0, wire::Goodbye{Code::shutting_down, "the broker is stopping"}, frame_);
  sessions_.each_welcomed([this](Route route, const Peer& peer) { send_now(peer.side, route, frame_); });
}

// --- what goes out ------------------------------------------------------------------------------------------------------

void Engine::refuse(const Asked& asked, Code code, std::string_view text, Millis retry_after) {
  ++counters_.refusals[static_cast<std::size_t>(code)];
  frame_.clear();
  encode_error(asked.request, code, text, retry_after, frame_);
  send_now(asked.side, asked.route, frame_);
}

void Engine::send_now(Side side, Route route, std::string_view frame) { outbox_.send(side, route, frame); }

void Engine::reply(Route route, Peer& peer, bool at_once) { pipeline_.send(route, peer, frame_, at_once); }

}  // namespace rota::server

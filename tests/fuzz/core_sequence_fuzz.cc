// Plays a sequence of messages, raw frames, commits, reads, lost connections, restarts and passing time at a live engine
// and core over the simulator's disk. After every step the core's invariants hold; what is refused changes nothing; what is
// kept for peers stays bounded.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "broker/queue/core.h"
#include "broker/queue/survey.h"
#include "broker/server/cursor.h"
#include "broker/server/engine.h"
#include "broker/server/load_buffer.h"
#include "common/base/check.h"
#include "common/base/job_id.h"
#include "common/wire/codec.h"
#include "tests/sim/disk.h"

namespace {

using namespace rota;
using server::Route;
using server::Side;

constexpr std::size_t kMostSteps = 300;
constexpr std::size_t kJobs = 24;
constexpr std::size_t kPeers = 4;  // connections of each side
constexpr std::size_t kMostHeld = 16 * 1024 * 1024;
constexpr std::string_view kQueues[] = {"default", "mail"};
constexpr std::string_view kTypes[] = {"small", "large"};

// The input as a row of choices. When it is used up every choice is 0.
class Choices {
 public:
  Choices(const std::uint8_t* data, std::size_t size) : data_(data), left_(size) {}
  [[nodiscard]] bool any() const { return left_ > 0; }
  std::uint32_t below(std::uint32_t bound) {
    return bound <= 1 ? 0 : (bound > 256 ? byte() * 256U + byte() : byte()) % bound;
  }
  bool flip() { return (byte() & 1U) != 0; }
  std::string_view bytes(std::size_t most) {
    const std::size_t size = std::min<std::size_t>({byte(), most, left_});
    const std::string_view taken(reinterpret_cast<const char*>(data_), size);
    data_ += size;
    left_ -= size;
    return taken;
  }

 private:
  std::uint32_t byte() {
    if (left_ == 0) return 0;
    --left_;
    return *data_++;
  }
  const std::uint8_t* data_;
  std::size_t left_;
};

// What a refused request must leave as it is.
struct Figures {
  std::uint64_t live, sequence, accepted, completed, cancelled, revived, dispatched;
  std::size_t uncommitted;
  bool operator==(const Figures&) const = default;
};

class Broker final : private server::Outbox, private server::StorePort {
 public:
  Broker() { start(); }

  void start() {
    engine_.reset();
    commit_.reset();
    reads_.clear();
    given_.clear();
    store_ = std::make_unique<sim::SimStore>(disk_, sim::SimStore::Bounds{8, 3, limits::kDefaultDedupWindow, Millis{0}});
    volatile_store_ = store::make_memory({}, 20'000);
    server::LoadBuffer nothing, loaded;
    ROTA_CHECK(volatile_store_->load(nothing).ok());
    const Result<store::Opened> opened = store_->load(loaded);
    ROTA_CHECK(opened.ok());
    queue::CoreOptions options;
    options.epoch = opened->epoch;
    options.next_sequence = opened->next_sequence;
    options.next_dispatch = opened->next_dispatch;
    options.last_id_clock = opened->id_clock;
    core_ = std::make_unique<queue::Core>(options, Prng(7));
    loaded.hand_over(*core_, now_);
    server::EngineOptions engine;
    engine.software = "rota fuzz";
    engine.broker_id.bytes[0] = 1;
    engine.epoch = opened->epoch;
    engine.clients_endpoint = "tcp://*:5555";
    engine.workers_endpoint = "tcp://*:5556";
    engine_ = std::make_unique<server::Engine>(engine, *core_, *store_, *volatile_store_,
                                               static_cast<server::Outbox&>(*this), static_cast<server::StorePort&>(*this));
    first_route_ += 2 * kPeers;
  }

  [[nodiscard]] Route route(Side side, std::size_t peer) const {
    return first_route_ + peer + (side == Side::worker ? kPeers : 0);
  }
  void take(Side side, std::size_t peer, std::string_view frame) {
    asked_ = route(side, peer);
    refused_ = false;
    const Figures before = figures();
    engine_->on_frame(side, asked_, frame, now_);
    ROTA_CHECK(!refused_ || figures() == before);
    asked_ = 0;
  }
  void take(Side side, std::size_t peer, const wire::Message& message) {
    std::string frame;
    wire::encode(message, frame);
    take(side, peer, std::string_view(frame));
  }
  void take_malformed(Side side, std::size_t peer) {
    asked_ = route(side, peer);
    refused_ = false;
    const Figures before = figures();
    engine_->on_malformed(side, asked_, now_);
    ROTA_CHECK(refused_ && figures() == before);
    asked_ = 0;
  }
  void close(Side side, std::size_t peer) { engine_->on_closed(route(side, peer), now_); }
  void lose(std::string_view frame) { engine_->on_undelivered(frame, now_); }
  void finish_commit() {
    if (!commit_) return;
    server::carry_out(*store_, *commit_);
    engine_->on_committed(std::move(commit_));
  }
  void finish_read() {
    if (reads_.empty()) return;
    std::unique_ptr<server::ReadTask> task = std::move(reads_.front());
    reads_.pop_front();
    server::carry_out(*store_, *task);
    engine_->on_read(std::move(task), now_);
    ROTA_CHECK(engine_->fault().ok());
  }
  void maintain() { ROTA_CHECK(store_->maintain(core_->id_clock(now_)).ok()); }
  void fill(bool full) { store_->set_full(full); }
  void pass(Millis by, Millis wall_by) { now_ = {now_.steady + by, now_.wall + wall_by}; }
  void check() const { core_->check_invariants(); }
  void end_turn() {
    engine_->end_turn(now_);
    check();
    ROTA_CHECK(engine_->pipeline().held_bytes() + engine_->pipeline().uncommitted_bytes() < kMostHeld);
    ROTA_CHECK(sent_ < kMostHeld);
  }
  void stop() {
    engine_->begin_shutdown();
    for (int i = 0; i < 64 && !engine_->is_settled(); ++i) {
      finish_commit();
      finish_read();
      engine_->end_turn(now_);
    }
    ROTA_CHECK(engine_->is_settled());
    engine_->say_goodbye();
    start();
  }

  [[nodiscard]] Now now() const { return now_; }
  [[nodiscard]] Wall id_clock() const { return core_->id_clock(now_); }
  // The tokens last given out, and a frame that carried one.
  [[nodiscard]] const std::deque<wire::TokenOf>& given() const { return given_; }
  [[nodiscard]] const std::string& last_dispatch() const { return last_dispatch_; }
  [[nodiscard]] const std::string& cursor() const { return cursor_; }

 private:
  [[nodiscard]] Figures figures() const {
    const queue::Counters& of = core_->counters();
    return {core_->live_jobs(), core_->last_sequence(),
            of.accepted,        of.completed,
            of.cancelled,       of.retried,
            of.dispatched,      engine_->pipeline().uncommitted_bytes()};
  }
  void send(Side /*side*/, Route route, std::string_view frame) override {
    sent_ += frame.size();
    const Result<wire::Message> message = decoder_.decode(frame);
    // The broker says nothing that its peers could not read.
    if (!message.ok()) std::fprintf(stderr, "%s\n", message.error().message.c_str());
    ROTA_CHECK(message.ok());
    if (route == asked_ && std::holds_alternative<wire::ErrorReply>(message->body)) refused_ = true;
    if (const auto* listed = std::get_if<wire::Listed>(&message->body)) cursor_ = listed->cursor;
    const auto* dispatch = std::get_if<wire::Dispatch>(&message->body);
    if (dispatch == nullptr) return;
    last_dispatch_ = frame;
    for (const wire::DispatchItem& item : dispatch->items) given_.push_back({item.id, {dispatch->epoch, item.dispatch}});
    while (given_.size() > 16) given_.pop_front();
  }
  void forget(Side /*side*/, Route /*route*/) override {}
  void commit(std::unique_ptr<server::CommitTask> task) override {
    ROTA_CHECK(!commit_);
    commit_ = std::move(task);
  }
  void read(std::unique_ptr<server::ReadTask> task) override { reads_.push_back(std::move(task)); }

  Now now_{Steady{1'000'000}, Wall{1'800'000'000'000}};
  sim::Disk disk_;
  std::unique_ptr<sim::SimStore> store_;
  std::unique_ptr<store::Store> volatile_store_;
  std::unique_ptr<queue::Core> core_;
  std::unique_ptr<server::Engine> engine_;
  std::unique_ptr<server::CommitTask> commit_;
  std::deque<std::unique_ptr<server::ReadTask>> reads_;
  wire::Decoder decoder_;
  Route first_route_ = 1;
  Route asked_ = 0;
  bool refused_ = false;
  std::size_t sent_ = 0;
  std::deque<wire::TokenOf> given_;
  std::string last_dispatch_, cursor_;
};

class Play {
 public:
  Play(const std::uint8_t* data, std::size_t size) : choices_(data, size) {
    for (std::size_t i = 0; i < kJobs; ++i) {
      ids_.push_back(make_job_id(broker_.id_clock(), slot_of_queue(kQueues[i % std::size(kQueues)]), random_));
    }
  }
  void run() {
    for (std::size_t i = 0; i < kMostSteps && choices_.any(); ++i) {
      step();
      broker_.check();
      if (choices_.below(3) != 0) broker_.end_turn();
    }
    broker_.end_turn();
  }

 private:
  void step() {
    const std::size_t peer = choices_.below(kPeers);
    switch (choices_.below(24)) {
      case 0:
        return broker_.take(Side::client, peer, {request(), wire::Hello{}});
      case 1:
        return hello(peer);
      case 2:
      case 3:
        return submit(peer);
      case 4:
        return broker_.take(Side::client, peer, {request(), wire::Cancel{some_ids()}});
      case 5:
        return retry(peer);
      case 6:
        return broker_.take(Side::client, peer, {request(), wire::Wait{choices_.flip(), some_ids()}});
      case 7:
        return broker_.take(Side::client, peer, {request(), wire::Get{choices_.flip(), some_ids()}});
      case 8:
        return list(peer);
      case 9:
        return admin(peer);
      case 10:
      case 11:
      case 12:
        return complete(peer);
      case 13:
        return broker_.take(Side::worker, peer, {0, wire::Renew{dispatch_number(), choices_.below(9), {}}});
      case 14:
        return broker_.take(Side::worker, peer, {0, wire::Released{some_tokens(), choices_.below(9)}});
      case 15:
        return broker_.take(choices_.flip() ? Side::client : Side::worker, peer, {0, wire::Goodbye{}});
      case 16:
        return broker_.take(choices_.flip() ? Side::client : Side::worker, peer, choices_.bytes(200));
      case 17:
        return broker_.close(choices_.flip() ? Side::client : Side::worker, peer);
      case 18:
        return broker_.lose(choices_.flip() ? std::string_view(broker_.last_dispatch()) : choices_.bytes(60));
      case 19:
        return pass();
      case 20:
      case 21:
        broker_.finish_commit();
        return broker_.finish_read();
      case 22:
        return broker_.maintain();
      default:
        return seldom(peer);
    }
  }

  void seldom(std::size_t peer) {
    switch (choices_.below(5)) {
      case 0:
        return broker_.take_malformed(choices_.flip() ? Side::client : Side::worker, peer);
      case 1:
        return broker_.fill(choices_.flip());
      case 2:
        return broker_.start();  // a crash: what was not committed is gone
      case 3:
        return broker_.stop();
      default:
        return broker_.take(Side::client, peer, {request(), wire::Ping{}});
    }
  }

  void pass() {
    static constexpr std::int64_t kTimes[] = {1, 100, 1000, 4000, 16'000, 61'000, 700'000, 90'000'000};
    const Millis by{kTimes[choices_.below(std::size(kTimes))]};
    const bool is_set = choices_.below(8) == 7;
    broker_.pass(by, is_set ? Millis{-3'600'000} : by);
  }

  void hello(std::size_t peer) {
    static constexpr std::string_view kNames[] = {"w0", "w1", "w2", "w3"};
    wire::Hello hello;
    hello.session.bytes[0] = static_cast<std::uint8_t>(1 + choices_.below(6));
    hello.connection = choices_.below(8);
    hello.name = kNames[choices_.below(std::size(kNames))];
    hello.host = choices_.flip() ? "host" : "other";
    hello.boot_id = choices_.flip() ? "boot" : "later";
    hello.pid = 1 + choices_.below(2);
    hello.start_time = choices_.below(2);
    hello.slots = choices_.below(4);
    hello.credit = choices_.below(12);
    hello.draining = choices_.below(16) == 15;
    for (const std::string_view queue : kQueues) {
      if (choices_.flip()) hello.queues.push_back({queue, choices_.below(4)});
    }
    for (const std::string_view type : kTypes) {
      if (choices_.flip()) hello.types.push_back(type);
    }
    hello.started = some_tokens();
    hello.held = some_tokens();
    hello.finished = some_tokens();
    broker_.take(Side::worker, peer, {request(), hello});
  }

  void submit(std::size_t peer) {
    static constexpr std::int64_t kTimes[] = {-1, 0, 1, 1000, 20'000, 3'000'000};
    static constexpr std::string_view kKeys[] = {"", "", "a", "b"};
    const auto time = [this] { return Millis{kTimes[choices_.below(std::size(kTimes))]}; };
    const auto from_zero = [](Millis one) { return std::max(one, Millis{0}); };
    wire::Submit submit;
    submit.notify = choices_.flip();
    const std::uint32_t queue = choices_.below(std::size(kQueues));
    wire::SubmitShared& shared = submit.shared.emplace_back();
    shared.queue = kQueues[queue];
    shared.type = kTypes[choices_.below(std::size(kTypes))];
    if (choices_.flip()) {
      wire::JobOptions& options = shared.options;
      options.priority = static_cast<std::int8_t>(choices_.below(5)) - 2;
      options.retries = choices_.below(3);
      options.losses = choices_.below(3);
      options.backoff = from_zero(time());
      options.delay = from_zero(time());
      options.expires = from_zero(time());
      options.keep = time();
      options.key_for = from_zero(time());
      if (choices_.flip()) options.durability = Durability::memory;
    }
    for (std::uint32_t i = 0, count = 1 + choices_.below(4); i < count; ++i) {
      wire::SubmitItem& item = submit.items.emplace_back();
      std::size_t at = choices_.below(kJobs);
      // An id says which queue it is for; seldom the wrong one.
      if (at % std::size(kQueues) != queue && choices_.below(8) != 7) at = (at + 1) % kJobs;
      if (choices_.below(4) == 3) ids_[at] = make_job_id(broker_.id_clock(), slot_of_queue(kQueues[queue]), random_);
      item.id = ids_[at];
      item.key = kKeys[choices_.below(std::size(kKeys))];
      item.payload = choices_.bytes(20);
    }
    broker_.take(Side::client, peer, {request(), std::move(submit)});
  }

  void retry(std::size_t peer) {
    wire::Retry retry;
    for (const JobId& id : some_ids()) {
      wire::Retry::Item item{id, std::nullopt};
      if (choices_.flip()) item.attempt_seen = choices_.below(3);
      retry.items.push_back(item);
    }
    broker_.take(Side::client, peer, {request(), retry});
  }

  void list(std::size_t peer) {
    wire::List list;
    if (choices_.flip()) list.queue = kQueues[choices_.below(std::size(kQueues))];
    if (choices_.below(4) == 3) list.type = kTypes[0];
    list.states = choices_.below(256);
    list.limit = 1 + choices_.below(10);
    std::string cursor;
    switch (choices_.below(4)) {
      case 0:
        break;
      case 1:
        cursor = broker_.cursor();
        break;
      case 2: {
        const std::uint32_t states = list.states != 0 ? list.states : queue::SurveyFilter{}.states;
        cursor = forged_cursor(server::request_mark({list.queue, list.type, "0"}, states));
        break;
      }
      default:
        cursor = choices_.bytes(40);
    }
    list.cursor = cursor;
    broker_.take(Side::client, peer, {request(), list});
  }

  void admin(std::size_t peer) {
    static constexpr std::string_view kVerbs[] = {"queues", "workers", "stats", "pause", "resume",
                                                  "purge",  "retry",   "drain", "dance"};
    static constexpr std::string_view kStates[] = {"", "failed", "succeeded,cancelled", "ready", "running"};
    wire::Admin admin;
    admin.verb = kVerbs[choices_.below(std::size(kVerbs))];
    admin.arguments.emplace_back("queue", kQueues[choices_.below(std::size(kQueues))]);
    admin.arguments.emplace_back("worker", "w1");
    const std::string_view states = kStates[choices_.below(std::size(kStates))];
    admin.arguments.emplace_back("state", states);
    std::string cursor, through;
    switch (choices_.below(4)) {
      case 0:
        break;
      case 1:
        cursor = std::to_string(choices_.below(2000));
        break;
      case 2: {
        const std::uint32_t unnamed = admin.verb == "purge" ? kQueuedStates | kFinalStates : state_bit(JobState::failed);
        const std::uint32_t meant = states.empty() ? unnamed : parse_job_states(states).value_or(0);
        cursor = server::to_hex(forged_cursor(server::request_mark({admin.arguments[0].second, admin.verb}, meant)));
        through = choices_.flip() ? "18446744073709551615" : std::to_string(choices_.below(300));
        break;
      }
      default:
        cursor = choices_.flip() ? server::to_hex(choices_.bytes(40)) : std::string(choices_.bytes(40));
        through = choices_.bytes(24);
    }
    if (!cursor.empty()) admin.arguments.emplace_back("cursor", cursor);
    if (!through.empty()) admin.arguments.emplace_back("through", through);
    broker_.take(Side::client, peer, {request(), admin});
  }

  void complete(std::size_t peer) {
    wire::Complete complete;
    complete.started_through = dispatch_number();
    complete.credit = choices_.below(9);
    for (const wire::TokenOf& one : some_tokens()) {
      wire::CompleteItem& item = complete.items.emplace_back();
      item.job = one;
      item.end = static_cast<AttemptEnd>(choices_.below(7));
      if (choices_.flip()) item.report.result = "result";
    }
    broker_.take(Side::worker, peer, {request(), complete});
  }

  // A cursor with any stage, place and time that yet has the mark of its request: a client can reckon that out.
  std::string forged_cursor(std::uint64_t mark) {
    server::Cursor honest{static_cast<std::uint8_t>(choices_.below(5)), ids_[choices_.below(kJobs)], broker_.now().wall};
    if (choices_.flip()) honest.below = {};
    std::string bytes = server::encode_cursor(honest, mark);
    const std::size_t unmarked = bytes.size() - sizeof mark;
    const std::size_t at = choices_.below(static_cast<std::uint32_t>(unmarked));
    const std::string_view other = choices_.bytes(unmarked - at);
    bytes.replace(at, other.size(), other);
    return bytes;
  }
  wire::Request request() { return 1 + choices_.below(40); }
  std::uint64_t dispatch_number() { return choices_.below(64); }
  std::vector<JobId> some_ids() {
    std::vector<JobId> ids;
    for (std::uint32_t count = 1 + choices_.below(3); count > 0; --count) ids.push_back(ids_[choices_.below(kJobs)]);
    return ids;
  }
  std::vector<wire::TokenOf> some_tokens() {
    std::vector<wire::TokenOf> tokens;
    for (std::uint32_t count = choices_.below(4); count > 0; --count) {
      const auto& given = broker_.given();
      if (given.empty() || choices_.below(8) == 7) {
        tokens.push_back({ids_[choices_.below(kJobs)], {1 + choices_.below(2), dispatch_number()}});
      } else {
        tokens.push_back(given[given.size() - 1 - choices_.below(static_cast<std::uint32_t>(given.size()))]);
      }
    }
    return tokens;
  }

  Choices choices_;
  Broker broker_;
  Prng random_{3};
  std::vector<JobId> ids_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Play(data, size).run();
  return 0;
}

#include "tests/sim/broker_host.h"

#include <algorithm>

#include "broker/server/load_buffer.h"
#include "common/base/check.h"

namespace rota::sim {

using server::Route;
using server::Side;

// One process: what a crash takes with it.
struct BrokerHost::Life {
  std::uint64_t number = 0;
  std::unique_ptr<SimStore> store;
  std::unique_ptr<store::Store> volatile_store;
  std::unique_ptr<queue::Core> core;
  std::unique_ptr<server::Engine> engine;

  std::map<LineId, Route> routes;
  std::map<Route, LineId> lines;
  Route next_route = 1;
  std::deque<std::pair<LineId, std::string>> inbox[2];
  std::vector<Route> closed;
  std::vector<std::string> undelivered;

  std::unique_ptr<server::CommitTask> committing, committed;
  std::deque<std::unique_ptr<server::CommitTask>> late;  // told as done already: a planted bug
  std::deque<std::unique_ptr<server::ReadTask>> reading, done;
  Steady next_turn = kNeverSteady;
  std::uint64_t turns = 0;
  bool read_failed = false;
  Steady maintained;
  bool stopping = false;
  std::map<Route, std::pair<Side, std::string>>* goodbyes = nullptr;  // gathered there
};

BrokerHost::BrokerHost(const Parts& parts, Dice dice) : parts_(parts), dice_(dice), broker_id_(dice_.uuid()) {}
BrokerHost::~BrokerHost() = default;

const queue::Core* BrokerHost::core() const { return life_ ? life_->core.get() : nullptr; }

// --- processes ----------------------------------------------------------------------------------------------------------

void BrokerHost::start() {
  if (life_) return;
  const Now now = parts_.timeline.now();
  life_ = std::make_unique<Life>();
  Life& life = *life_;
  life.number = ++lives_;
  SimStore::Bounds bounds{parts_.weather.finished_limit, parts_.weather.list_visits, parts_.rules.dedup_window, Millis{0}};
  if (parts_.saboteur.is(Canary::early_forget)) bounds.forgets_ahead = std::chrono::minutes{10};
  life.store = std::make_unique<SimStore>(parts_.disk, bounds);
  std::uint64_t memory_limit = parts_.weather.memory_limit > 0 ? parts_.weather.memory_limit : 64 * limits::MiB;
  if (parts_.saboteur.is(Canary::ignored_memory_limit)) memory_limit = 64 * limits::MiB;
  life.volatile_store = store::make_memory({}, memory_limit);
  server::LoadBuffer nothing, loaded;
  ROTA_CHECK(life.volatile_store->load(nothing).ok());
  const Result<store::Opened> opened = life.store->load(loaded);
  ROTA_CHECK(opened.ok());
  queue::CoreOptions core;
  core.epoch = opened->epoch;
  core.next_sequence = opened->next_sequence;
  core.next_dispatch = opened->next_dispatch;
  core.last_id_clock = opened->id_clock;
  core.lease = parts_.saboteur.is(Canary::short_lease) ? parts_.rules.lease / 3 : parts_.rules.lease;
  core.reattach = parts_.rules.reattach;
  core.dedup_window = parts_.rules.dedup_window;
  life.core = std::make_unique<queue::Core>(core, dice_.prng());
  loaded.hand_over(*life.core, now);
  server::EngineOptions options;
  options.software = "rota sim";
  options.broker_id = broker_id_;
  options.epoch = opened->epoch;
  options.lease = parts_.rules.lease;
  options.dedup_window = parts_.rules.dedup_window;
  options.clients_endpoint = "tcp://*:5555";
  options.workers_endpoint = "tcp://*:5556";
  life.engine =
      std::make_unique<server::Engine>(std::move(options), *life.core, *life.store, *life.volatile_store,
                                       static_cast<server::Outbox&>(*this), static_cast<server::StorePort&>(*this));
  parts_.trace.note("* the broker starts: epoch " + std::to_string(opened->epoch) + ", " +
                    std::to_string(opened->live_jobs) + " live jobs");
  parts_.auditor.broker_started();
  parts_.saboteur.broker_started();
  parts_.network.broker_started();
  wake(Millis{0});
}

void BrokerHost::die(Network::Death death, Millis down_for) {
  parts_.auditor.broker_stopped();
  parts_.network.broker_died(death);
  life_.reset();
  stalled_until_ = parts_.timeline.now().steady;
  parts_.timeline.after(down_for, [this] { start(); });
}

void BrokerHost::crash(Network::Death death, Millis down_for) {
  if (!life_) return;
  parts_.trace.note("* the broker is killed");
  die(death, down_for);
}

void BrokerHost::stop(Millis down_for) {
  if (!life_ || life_->stopping) return;
  parts_.trace.note("* the broker is told to stop");
  life_->stopping = true;
  stop_down_for_ = down_for;
  life_->engine->begin_shutdown();
  wake(Millis{0});
}

void BrokerHost::stall(Millis how_long) {
  if (!life_) return;
  parts_.trace.note("* the broker stalls for " + std::to_string(how_long.count()) + " ms");
  stalled_until_ = std::max(stalled_until_, parts_.timeline.now().steady + how_long);
  parts_.auditor.broker_stalls(stalled_until_);
}

void BrokerHost::fill_disk(Millis how_long) {
  parts_.trace.note("* the disk is full for " + std::to_string(how_long.count()) + " ms");
  full_until_ = parts_.timeline.now().steady + how_long;
}

void BrokerHost::slow_disk(Millis how_long) {
  parts_.trace.note("* the disk is slow for " + std::to_string(how_long.count()) + " ms");
  slow_until_ = parts_.timeline.now().steady + how_long;
}

void BrokerHost::calm() {
  calm_ = true;
  fail_next_commit_ = fail_next_read_ = false;
  stalled_until_ = slow_until_ = full_until_ = parts_.timeline.now().steady;
}

bool BrokerHost::answers() const { return life_ && stalled_until_ <= parts_.timeline.now().steady; }

// --- the network --------------------------------------------------------------------------------------------------------

void BrokerHost::arrived(LineId line, Side side, std::string frame) {
  if (!life_) return;
  life_->inbox[static_cast<std::size_t>(side)].emplace_back(line, std::move(frame));
  wake(dice_.millis(0, 1));
}

// A dead line is found out when something is sent on it.
void BrokerHost::line_closed(LineId /*line*/) {}

void BrokerHost::send(Side side, Route route, std::string_view frame) {
  if (life_->goodbyes != nullptr) {
    life_->goodbyes->emplace(route, std::pair(side, std::string(frame)));
    return;
  }
  for (const Saboteur::Frame& one : parts_.saboteur.outbound({side, route, std::string(frame)})) {
    put_on_line(one.side, one.route, one.bytes);
  }
}

void BrokerHost::put_on_line(Side side, Route route, const std::string& frame) {
  Life& life = *life_;
  const Result<wire::Message> message = decoder_.decode(frame);
  if (!message.ok()) return parts_.auditor.fail("the broker sent an unreadable frame: " + message.error().message);
  parts_.trace.mix(frame);
  if (parts_.trace.prints()) {
    parts_.trace.note("B > " + std::string(side == Side::client ? "c" : "w") + " route " + std::to_string(route) + "  " +
                      parts_.trace.describe(*message));
  }
  parts_.auditor.sent(side, route, *message);
  const auto line = life.lines.find(route);
  if (line != life.lines.end() && parts_.network.send_down(line->second, frame)) return;
  if (line != life.lines.end() && std::find(life.closed.begin(), life.closed.end(), route) == life.closed.end()) {
    life.closed.push_back(route);
  }
  if (side == Side::worker) life.undelivered.push_back(frame);
}

void BrokerHost::forget(Side /*side*/, Route route) {
  const auto line = life_->lines.find(route);
  if (line == life_->lines.end()) return;
  life_->routes.erase(line->second);
  life_->lines.erase(line);
}

// --- the disk -----------------------------------------------------------------------------------------------------------

Millis BrokerHost::disk_delay() {
  const bool slow = slow_until_ > parts_.timeline.now().steady;
  return slow ? dice_.millis(100, 3000) : dice_.skewed(0, parts_.weather.commit_most);
}

void BrokerHost::commit(std::unique_ptr<server::CommitTask> task) {
  ROTA_CHECK(!life_->committing && !life_->committed);
  if (parts_.saboteur.is(Canary::ack_before_commit)) return commit_late(std::move(task));
  life_->committing = std::move(task);
  parts_.timeline.after(disk_delay(), [this, number = life_->number] {
    if (life_ && life_->number == number) sync_commit();
  });
}

// The planted bug: told as done before it is.
void BrokerHost::commit_late(std::unique_ptr<server::CommitTask> task) {
  life_->committed = std::make_unique<server::CommitTask>();
  life_->committed->number = task->number;
  life_->late.push_back(std::move(task));
  parts_.timeline.after(Millis{200}, [this, number = life_->number] {
    if (!life_ || life_->number != number) return;
    server::carry_out(*life_->store, *life_->late.front());
    life_->late.pop_front();
  });
  wake(Millis{0});
}

void BrokerHost::sync_commit() {
  server::CommitTask& task = *life_->committing;
  parts_.saboteur.before_commit(dynamic_cast<SimBatch&>(*task.batch));
  if (fail_next_commit_) {
    fail_next_commit_ = false;
    parts_.trace.note("* a commit fails");
    if (dice_.chance(0.5)) server::carry_out(*life_->store, task);
    task.status = Error{Code::internal, "the simulated disk failed"};
  } else {
    server::carry_out(*life_->store, task);
    task.microseconds = 0;
  }
  // On disk, and nobody knows yet.
  parts_.timeline.after(dice_.skewed(0, 20), [this, number = life_->number] {
    if (life_ && life_->number == number) finish_commit();
  });
}

void BrokerHost::finish_commit() {
  life_->committed = std::move(life_->committing);
  wake(Millis{0});
}

void BrokerHost::read(std::unique_ptr<server::ReadTask> task) {
  life_->reading.push_back(std::move(task));
  if (life_->reading.size() == 1) {
    parts_.timeline.after(dice_.skewed(0, 10), [this, number = life_->number] {
      if (life_ && life_->number == number) carry_out_read();
    });
  }
}

void BrokerHost::carry_out_read() {
  Life& life = *life_;
  if (!life.late.empty()) {  // the planted bug must not show by what cannot be read yet
    parts_.timeline.after(Millis{20}, [this, number = life.number] {
      if (life_ && life_->number == number) carry_out_read();
    });
    return;
  }
  server::ReadTask& task = *life.reading.front();
  if (std::exchange(fail_next_read_, false)) {
    parts_.trace.note("* a look into the store fails");
    life.read_failed = true;
    task.bodies.reset(task.sequences.size());
    task.status = Error{Code::internal, "the simulated disk failed"};
  } else {
    server::carry_out(*life.store, task);
  }
  parts_.saboteur.after_read(task);
  parts_.timeline.after(dice_.skewed(0, 10), [this, number = life.number] {
    if (!life_ || life_->number != number) return;
    life_->done.push_back(std::move(life_->reading.front()));
    life_->reading.pop_front();
    if (!life_->reading.empty()) carry_out_read();
    wake(Millis{0});
  });
}

void BrokerHost::maintain() {
  Life& life = *life_;
  const Now now = parts_.timeline.now();
  life.store->set_full(full_until_ > now.steady);
  if (life.committing || now.steady < life.maintained + limits::kMaintainIdle) return;
  life.maintained = now.steady;
  (void)life.store->maintain(life.core->id_clock(now));
  (void)life.volatile_store->maintain(life.core->id_clock(now));
}

// --- turns --------------------------------------------------------------------------------------------------------------

void BrokerHost::wake(Millis in) {
  const Steady when = std::max(parts_.timeline.now().steady + in, stalled_until_);
  if (when >= life_->next_turn) return;
  life_->next_turn = when;
  parts_.timeline.at(when, [this, number = life_->number, when] {
    if (life_ && life_->number == number && life_->next_turn == when) turn();
  });
}

// As Loop::run() does it.
void BrokerHost::turn() {
  Life& life = *life_;
  life.next_turn = kNeverSteady;
  if (stalled_until_ > parts_.timeline.now().steady) return wake(Millis{0});
  if (life.committed && !life.committed->status.ok()) return crash(Network::Death::killed, dice_.millis(100, 3000));
  take_done();
  drain(Side::worker);
  drain(Side::client);
  maintain();
  life.engine->end_turn(parts_.timeline.now());
  tell_closed();
  if (!life.engine->fault().ok()) {
    ROTA_CHECK(life.read_failed);
    return crash(Network::Death::killed, dice_.millis(100, 3000));
  }
  if (++life.turns % 32 == 0) life.core->check_invariants();
  if (!life.committing && !life.committed && life.reading.empty() && life.done.empty()) parts_.auditor.all_is_sent();
  const bool more = !life.inbox[0].empty() || !life.inbox[1].empty();
  if (life.stopping && !more && life.engine->is_settled()) {
    say_goodbye();
    parts_.trace.note("* the broker has stopped");
    return die(Network::Death::orderly, stop_down_for_);
  }
  const Now now = parts_.timeline.now();
  const Steady due = life.engine->next_deadline(now);
  Millis patience{1000};
  if (due != kNeverSteady) patience = std::clamp(due - now.steady, Millis{1}, patience);
  wake(more ? Millis{1} : patience);
}

// The engine says it to its peers in no order; a replay needs one.
void BrokerHost::say_goodbye() {
  std::map<Route, std::pair<Side, std::string>> goodbyes;
  life_->goodbyes = &goodbyes;
  life_->engine->say_goodbye();
  life_->goodbyes = nullptr;
  for (const auto& [route, frame] : goodbyes) send(frame.first, route, frame.second);
}

void BrokerHost::take_done() {
  Life& life = *life_;
  if (life.committed) life.engine->on_committed(std::move(life.committed));
  while (!life.done.empty()) {
    std::unique_ptr<server::ReadTask> task = std::move(life.done.front());
    life.done.pop_front();
    life.engine->on_read(std::move(task), parts_.timeline.now());
  }
}

void BrokerHost::drain(Side side) {
  auto& inbox = life_->inbox[static_cast<std::size_t>(side)];
  for (std::size_t budget = 64; budget > 0 && !inbox.empty(); --budget) {
    const auto [line, frame] = std::move(inbox.front());
    inbox.pop_front();
    hand_in(side, line, frame);
  }
}

void BrokerHost::hand_in(Side side, LineId line, const std::string& frame) {
  Life& life = *life_;
  const auto [known, is_new] = life.routes.try_emplace(line, life.next_route);
  if (is_new) life.lines[life.next_route++] = line;
  const Route route = known->second;
  const Result<wire::Message> message = decoder_.decode(frame);
  if (!message.ok()) return parts_.auditor.fail("a peer sent an unreadable frame: " + message.error().message);
  parts_.trace.mix(frame);
  if (parts_.trace.prints()) {
    parts_.trace.note("B < " + std::string(side == Side::client ? "c" : "w") + " route " + std::to_string(route) + "  " +
                      parts_.trace.describe(*message));
  }
  parts_.auditor.received(side, route, *message);
  for (const std::string& bytes : parts_.saboteur.inbound(side, route, frame, *life.core, parts_.timeline.now())) {
    life.engine->on_frame(side, route, bytes, parts_.timeline.now());
  }
  for (const Saboteur::Frame& one : parts_.saboteur.forged()) put_on_line(one.side, one.route, one.bytes);
}

void BrokerHost::take_garbage() {
  if (!life_ || life_->goodbyes != nullptr || stalled_until_ > parts_.timeline.now().steady) return;
  Life& life = *life_;
  const Now now = parts_.timeline.now();
  auto from = life.lines.begin();
  if (!life.lines.empty()) std::advance(from, static_cast<std::ptrdiff_t>(dice_.below(life.lines.size())));
  // A stranger's connection has a number of its own.
  const bool known = from != life.lines.end() && dice_.chance(0.8);
  const Route route = known ? from->first : life.next_route++;
  const Side side = known ? parts_.network.side_of(from->second) : (dice_.chance(0.5) ? Side::client : Side::worker);
  std::string bytes(dice_.below(40), '\0');
  for (char& byte : bytes) byte = static_cast<char>(dice_.below(256));
  const bool several_frames = dice_.chance(0.3);
  if (!several_frames && decoder_.decode(bytes).ok()) return;
  parts_.trace.note("* something comes that is no message (route " + std::to_string(route) + ")");
  parts_.auditor.malformed(route);
  if (several_frames) {
    life.engine->on_malformed(side, route, now);
  } else {
    life.engine->on_frame(side, route, bytes, now);
  }
  parts_.auditor.malformed_taken();
  wake(Millis{0});
}

void BrokerHost::tell_closed() {
  Life& life = *life_;
  const Now now = parts_.timeline.now();
  for (const Route route : std::exchange(life.closed, {})) life.engine->on_closed(route, now);
  for (const std::string& frame : std::exchange(life.undelivered, {})) {
    if (const Result<wire::Message> message = decoder_.decode(frame); message.ok()) parts_.auditor.undelivered(*message);
    life.engine->on_undelivered(frame, now);
  }
  if (!life.closed.empty() || !life.undelivered.empty()) wake(Millis{1});
}

}  // namespace rota::sim

#include "tests/sim/worker_host.h"

#include <algorithm>
#include <optional>

#include "common/base/limits.h"

namespace rota::sim {
namespace {

constexpr Millis kHelloTryFirst{2};
constexpr Millis kHelloTryMost{100};
// Far above what the core numbers its own requests with.
constexpr wire::Request kLateReports = wire::Request{1} << 40U;

// Planted bugs of workers: what they were told of a job does not get through to the core.
void sabotage(const Saboteur& saboteur, wire::Dispatch& dispatch) {
  for (wire::DispatchShared& shared : dispatch.shared) {
    if (saboteur.is(Canary::endless_run)) shared.time_limit = Millis{0};
    if (saboteur.is(Canary::deaf_run)) shared.stop_on_disconnect = false;
  }
  for (wire::DispatchItem& item : dispatch.items) {
    if (saboteur.is(Canary::started_late)) item.expires_in = Millis{0};
  }
}

}  // namespace

// What a crash takes with it.
struct WorkerHost::Process {
  Process(worker::Identity identity, std::uint32_t slots_total, Prng prng)
      : slots{slots_total}, core(std::move(identity), slots, prng) {}

  std::uint64_t number = 0;
  worker::Slots slots;
  worker::Core core;
  worker::Actions actions;
  Uuid session;
  std::optional<SocketId> socket;
  std::deque<std::string> inbox;
  std::vector<Ended> ended;
  std::map<RunKey, Run> runs;
  wire::Decoder decoder{wire::DecodeLimits{limits::kLargestMaxPayload, limits::kMaxBatch}};
  Steady next_hello = kNeverSteady;
  Millis hello_wait = kHelloTryFirst;
  Steady next_turn = kNeverSteady;
  std::uint64_t turns = 0;
  Steady heard;
  // As last told to the broker, and repeated by late reports.
  std::uint32_t credit = 0;
  std::uint64_t started_through = 0;
  wire::Request late_reports = kLateReports;
};

WorkerHost::WorkerHost(const Parts& parts, std::string name, bool all, Dice dice)
    : parts_(parts), name_(std::move(name)), dice_(dice) {
  slots_ = static_cast<std::uint32_t>(dice_.between(1, 4));
  for (std::size_t i = 0; i < parts_.weather.queues; ++i) {
    if (all || dice_.chance(0.7)) {
      queues_.emplace_back(kQueues[i], static_cast<std::uint32_t>(dice_.between(1, 3)));
    }
  }
  if (queues_.empty()) queues_.emplace_back(kQueues[0], 1);
  const bool killable = dice_.chance(0.5);
  for (const std::string_view type : kTypes) {
    if (all || dice_.chance(0.7)) types_.push_back({std::string(type), killable});
  }
  if (types_.empty()) types_.push_back({std::string(kTypes[0]), killable});
}

WorkerHost::~WorkerHost() = default;

// --- processes ----------------------------------------------------------------------------------------------------------

worker::Identity WorkerHost::identity() {
  worker::Identity identity;
  identity.session = dice_.uuid();
  identity.name = name_;
  identity.host = "host-" + name_;
  identity.boot_id = "boot-" + std::to_string(boots_);
  identity.software = "rota sim";
  // Sometimes the new process gets the old one's number, which proves the old one dead.
  identity.pid = dice_.chance(0.5) ? 100 : static_cast<std::uint64_t>(dice_.between(1000, 30'000));
  identity.start_time = processes_;
  identity.queues = queues_;
  identity.types = types_;
  return identity;
}

void WorkerHost::start() {
  if (process_) return;
  ++processes_;
  worker::Identity who = identity();
  const Uuid session = who.session;
  process_ = std::make_unique<Process>(std::move(who), slots_, dice_.prng());
  process_->number = processes_;
  process_->session = session;
  parts_.trace.note("* " + name_ + " starts");
  const Steady now = parts_.timeline.now().steady;
  open_socket(now);
  process_->core.begin(now, process_->actions);
  process_->actions.reconnect = false;
  wake(Millis{0});
}

void WorkerHost::gone(Millis down_for) {
  if (process_->socket) parts_.network.close(*process_->socket);
  process_.reset();
  stalled_until_ = parts_.timeline.now().steady;
  parts_.timeline.after(down_for, [this] { start(); });
}

void WorkerHost::crash(Millis down_for) {
  if (!process_) return;
  const bool reboot = dice_.chance(0.3);
  if (reboot) ++boots_;
  parts_.trace.note("* " + name_ + (reboot ? " loses power" : " is killed"));
  gone(down_for);
}

void WorkerHost::stall(Millis how_long) {
  if (!process_) return;
  parts_.trace.note("* " + name_ + " stalls for " + std::to_string(how_long.count()) + " ms");
  stalled_until_ = parts_.timeline.now().steady + how_long;
}

void WorkerHost::drain() {
  if (!process_) return;
  parts_.trace.note("* " + name_ + " is told to drain");
  process_->core.drain(parts_.timeline.now().steady);
  wake(Millis{0});
}

void WorkerHost::kill() {
  if (!process_) return;
  parts_.trace.note("* " + name_ + " is told to stop at once");
  process_->core.kill(parts_.timeline.now().steady, process_->actions);
  wake(Millis{0});
}

void WorkerHost::calm() {
  calm_ = true;
  stalled_until_ = parts_.timeline.now().steady;
  if (process_) wake(Millis{0});
}

// --- turns --------------------------------------------------------------------------------------------------------------

void WorkerHost::wake(Millis in) {
  const Steady when = std::max(parts_.timeline.now().steady + in, stalled_until_);
  if (when >= process_->next_turn) return;
  process_->next_turn = when;
  parts_.timeline.at(when, [this, number = process_->number, when] {
    if (process_ && process_->number == number && process_->next_turn == when) turn();
  });
}

// As the worker's engine and link do it.
void WorkerHost::turn() {
  Process& process = *process_;
  process.next_turn = kNeverSteady;
  const Steady now = parts_.timeline.now().steady;
  if (stalled_until_ > now) return wake(Millis{0});
  for (Ended& one : std::exchange(process.ended, {})) {
    process.core.finished(one.handle, std::move(one.outcome), one.run_us, now);
  }
  take_frames(now);
  process.core.turn(now, process.actions);
  if (process.actions.reconnect) open_socket(now);
  send_all(now);
  if (process.core.wants_hello() && now >= process.next_hello) try_hello(now);
  for (const worker::Handle handle : std::exchange(process.actions.start, {})) begin_run(handle, now);
  for (const worker::Stop& stop : std::exchange(process.actions.stop, {})) stop_run(stop);
  process.actions.clear();
  if (++process.turns % 16 == 0) process.core.check_invariants();
  if (process.core.ended()) {
    parts_.trace.note("* " + name_ + " has ended " + process.core.ending()->message);
    return gone(dice_.millis(200, 3000));
  }
  Steady next = process.core.next_deadline();
  if (process.core.wants_hello()) next = std::min(next, process.next_hello);
  if (!process.ended.empty()) next = now;
  if (next != kNeverSteady) wake(std::max(next - now, Millis{1}));
}

void WorkerHost::take_frames(Steady now) {
  Process& process = *process_;
  for (const std::string& frame : std::exchange(process.inbox, {})) {
    auto batch = std::make_unique<worker::Batch>();
    batch->frame = frame;
    Result<wire::Message> message = process.decoder.decode(batch->frame);
    if (!message.ok()) {
      parts_.auditor.fail(name_ + " was sent an unreadable frame: " + message.error().message);
      continue;
    }
    auto* dispatch = std::get_if<wire::Dispatch>(&message->body);
    process.heard = now;
    if (dispatch == nullptr) {
      process.core.received(*message, now, process.actions);
      continue;
    }
    parts_.auditor.dispatch_arrived(*dispatch);
    sabotage(parts_.saboteur, *dispatch);
    batch->dispatch = std::move(*dispatch);
    batch->specs.resize(batch->dispatch.shared.size());
    process.core.dispatched(std::move(batch), now, process.actions);
  }
}

void WorkerHost::open_socket(Steady now) {
  Process& process = *process_;
  if (process.socket) parts_.network.close(*process.socket);
  process.inbox.clear();
  process.socket = parts_.network.open(server::Side::worker, name_, [this, number = process.number](std::string frame) {
    if (!process_ || process_->number != number) return;
    process_->inbox.push_back(std::move(frame));
    wake(Millis{0});
  });
  process.next_hello = now;
  process.hello_wait = kHelloTryFirst;
}

void WorkerHost::send_all(Steady now) {
  Process& process = *process_;
  bool sent = true;
  std::string frame;
  for (const wire::Message& message : process.actions.send) {
    frame.clear();
    wire::encode(message, frame);
    sent = parts_.network.send(*process.socket, frame);
    if (!sent) break;
    note_told(message);
  }
  process.actions.send.clear();
  if (!sent && !process.core.ended()) process.core.send_failed(now, process.actions);
}

void WorkerHost::try_hello(Steady now) {
  Process& process = *process_;
  std::string frame;
  const wire::Message hello = process.core.hello();
  wire::encode(hello, frame);
  if (parts_.network.send(*process.socket, frame)) {
    note_told(hello);
    process.core.hello_sent(now);
    return;
  }
  process.next_hello = now + process.hello_wait;
  process.hello_wait = std::min(process.hello_wait * 2, kHelloTryMost);
}

void WorkerHost::note_told(const wire::Message& message) {
  Process& process = *process_;
  if (const auto* hello = std::get_if<wire::Hello>(&message.body)) process.credit = hello->credit;
  if (const auto* released = std::get_if<wire::Released>(&message.body)) process.credit = released->credit;
  if (const auto* renew = std::get_if<wire::Renew>(&message.body)) {
    process.credit = renew->credit;
    process.started_through = renew->started_through;
  }
  if (const auto* complete = std::get_if<wire::Complete>(&message.body)) {
    process.credit = complete->credit;
    process.started_through = complete->started_through;
  }
}

// --- runs ---------------------------------------------------------------------------------------------------------------

worker::Outcome WorkerHost::draw_outcome(Token token) {
  if (!dice_.chance(parts_.weather.failing)) return worker::Outcome::success("did " + text_of(token));
  const std::size_t kind = dice_.below(10);
  if (kind == 0) return worker::Outcome::rejection("NO", "refused for good");
  if (kind == 1) return worker::Outcome::ended(AttemptEnd::lost);
  return worker::Outcome::failure("EXIT", "failed");
}

void WorkerHost::begin_run(worker::Handle handle, Steady now) {
  Process& process = *process_;
  const worker::Assignment what = process.core.assignment(handle);
  Run run;
  run.handle = handle;
  run.id = what.item().id;
  run.token = {what.batch->dispatch.epoch, what.item().dispatch};
  run.from = now;
  run.killable = types_[what.type()].killable;
  if (parts_.trace.prints()) {
    parts_.trace.note(name_ + " runs " + parts_.trace.name_of(run.id) + " " + text_of(run.token));
  }
  parts_.auditor.run_started(process.session, run.id, run.token, what.item().payload);
  process.core.begun(handle);
  const RunKey key{handle.index, handle.generation};
  process.runs[key] = run;
  const bool is_long = dice_.chance(calm_ ? 0 : parts_.weather.long_jobs);
  end_run_in(is_long ? dice_.skewed(1000, 40'000) : dice_.skewed(0, calm_ ? 300 : parts_.weather.run_most), key,
             draw_outcome(run.token));
}

void WorkerHost::end_run_in(Millis wait, RunKey key, worker::Outcome outcome) {
  parts_.timeline.after(wait, [this, number = process_->number, key, outcome = std::move(outcome)] {
    if (!process_ || process_->number != number) return;
    const auto at = process_->runs.find(key);
    if (at == process_->runs.end()) return;
    const Run run = at->second;
    process_->runs.erase(at);
    const std::int64_t run_us = (parts_.timeline.now().steady - run.from).count() * 1000 + 20;
    process_->ended.push_back({run.handle, outcome, run_us});
    const bool stalled = stalled_until_ > run.from;
    parts_.auditor.run_ended({run.id, run.token, outcome.end, run.from, run.stop_asked, stalled, process_->heard});
    report_later(run, outcome);
    wake(Millis{0});
  });
}

void WorkerHost::stop_run(const worker::Stop& stop) {
  const RunKey key{stop.job.index, stop.job.generation};
  const auto at = process_->runs.find(key);
  if (at == process_->runs.end()) return;
  at->second.superseded =
      at->second.superseded || (!at->second.stop_asked && stop.reason == worker::StopReason::superseded);
  at->second.stop_asked = true;
  if (at->second.ending && !stop.force) return;
  at->second.ending = true;
  // Commands die; handlers heed it, late perhaps, or go on.
  if (!stop.force && dice_.chance(0.3)) return;
  const Millis wait = stop.force ? dice_.millis(0, 50) : dice_.millis(0, 2000);
  end_run_in(wait, key, worker::Outcome::failure("STOPPED", "stopped"));
}

// Workers need not be as careful as this core, which lists in its HELLO what has ended and forgets what does not count: one
// may report the end of a run once more, or late, and finds its connection in order. The core itself reports the same end,
// or none.
void WorkerHost::report_later(const Run& run, const worker::Outcome& outcome) {
  if (parts_.weather.late_reports == 0 || calm_ || (run.stop_asked && !run.superseded)) return;
  // Who stands still is late already.
  const Steady now = parts_.timeline.now().steady;
  const bool stalls = stalled_until_ > now;
  const bool is_repeated = outcome.end != AttemptEnd::succeeded;  // the job runs again, perhaps
  if (!run.superseded && !stalls && !is_repeated && !dice_.chance(parts_.weather.late_reports)) return;
  const Steady when = std::max(now, stalled_until_) + dice_.millis(20, stalls ? 3000 : 10'000);
  parts_.timeline.at(when, [this, number = process_->number, run, outcome] {
    if (process_ && process_->number == number && stalled_until_ <= parts_.timeline.now().steady) report(run, outcome);
  });
}

void WorkerHost::report(const Run& run, const worker::Outcome& outcome) {
  Process& process = *process_;
  if (!process.socket) return;
  wire::CompleteItem item;
  item.job = {run.id, run.token};
  item.end = outcome.end;
  item.started_ago = parts_.timeline.now().steady - run.from;
  item.report.error_code = outcome.error_code;
  item.report.error_message = outcome.error_message;
  item.report.result = outcome.result;
  wire::Complete complete{process.started_through, process.credit, {item}};
  std::string frame;
  wire::encode({process.late_reports++, std::move(complete)}, frame);
  (void)parts_.network.send(*process.socket, frame);
}

}  // namespace rota::sim

#include "broker/server/loop.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <optional>
#include <utility>

#include "common/base/check.h"
#include "common/base/clock.h"
#include "common/base/peer_limits.h"
#include "common/wire/codec.h"
#include "common/wire/peek.h"

namespace rota::server {
namespace {

// Longest sleep: what is due by the second (silent peers) is looked at then.
constexpr Millis kLongestWait{1000};
constexpr int kLastPasses = 16;  // over the sockets when stopping
// A peer without room is tried again this soon.
constexpr Millis kBlockedWait{10};
constexpr std::int64_t kTurnMicros = std::chrono::microseconds(limits::kTurnTime).count();
constexpr std::int64_t kWorkerTurnMicros = std::chrono::microseconds(limits::kWorkerTurnTime).count();
// How long the library gets to hand over the goodbyes.
constexpr Millis kGoodbyeWait{100};

}  // namespace

Loop::Sockets::Sockets(net::Router clients, net::Router workers)
    : clients_(Side::client, std::move(clients), next_route_), workers_(Side::worker, std::move(workers), next_route_) {}

Loop::Loop(EngineOptions options, const Parts& parts, net::Router clients, net::Router workers, int stop_fd)
    : metrics_(parts.metrics),
      log_(parts.log),
      store_(parts.store),
      volatile_store_(parts.volatile_store),
      sockets_(std::move(clients), std::move(workers)),
      threads_(parts.store),
      guard_(limits::max_message_bytes(static_cast<std::size_t>(options.max_payload))),
      engine_(std::move(options), parts.core, parts.store, parts.volatile_store, sockets_, threads_),
      stop_fd_(stop_fd) {}

Loop::~Loop() = default;

Status Loop::run() {
  engine_.end_turn(read_clocks());
  while (!stop_asked_) {
    wait_for_work();
    if (Status fault = take_done(); !fault.ok()) return fault;
    more_waits_ = false;
    // Workers first: what they finish frees room for what clients bring. After a stall all that waits is drained before
    // time passes in the core.
    drain(Side::worker);
    drain(Side::client);
    engine_.end_turn(read_clocks());
    note_store();
    const bool workers_blocked = sockets_.peers(Side::worker).flush();
    const bool clients_blocked = sockets_.peers(Side::client).flush();
    blocked_ = workers_blocked || clients_blocked;
    tell_closed(Side::worker);
    tell_closed(Side::client);
    watch_connections();
    if (!engine_.fault().ok()) return engine_.fault();
    if (metrics_wanted_) {
      MetricsSnapshot snapshot = take_snapshot(engine_, store_, volatile_store_, read_clocks());
      snapshot.sent = sockets_.peers(Side::client).sent() + sockets_.peers(Side::worker).sent();
      metrics_.publish(std::move(snapshot));
    }
  }
  return stop();
}

// Says once that the store is full, and that it is not any more.
void Loop::note_store() {
  const store::Usage usage = store_.usage();
  const bool is_full = !usage.accepts_submits && !usage.grows;
  if (is_full == store_full_) return;
  store_full_ = is_full;
  if (store_full_) {
    log_.warn("{}; make room: purge finished jobs, raise --store-limit, or free the disk", usage.why_not);
  } else {
    log_.info("the store has room again");
  }
}

void Loop::watch_connections() {
  const std::size_t cut = guard_.look(sockets_.peers(Side::client), sockets_.peers(Side::worker), read_clocks().steady);
  if (cut > 0)
    log_.warn("{} connections ended: they brought far more than a message without ending it, or sent too far ahead", cut);
}

Millis Loop::patience(Now now) const {
  if (more_waits_) return Millis{0};
  Millis longest = blocked_ ? kBlockedWait : std::min(kLongestWait, guard_.interval());
  const Steady due = engine_.next_deadline(now);
  if (due <= now.steady) return Millis{0};
  if (due != kNeverSteady) longest = std::min(longest, due - now.steady);
  return longest;
}

void Loop::wait_for_work() {
  std::array<net::WaitItem, 5> items;
  items[0].socket = sockets_.peers(Side::client).router().raw();
  items[1].socket = sockets_.peers(Side::worker).router().raw();
  items[2].fd = threads_.done_fd();
  items[3].fd = stop_fd_;
  items[4].fd = metrics_.wanted_fd();
  net::wait(items, patience(read_clocks()));
  stop_asked_ = items[3].readable;
  metrics_wanted_ = items[4].readable;
}

Status Loop::take_done() {
  threads_.tell_clock(engine_.core().id_clock(read_clocks()));
  threads_.collect(done_);
  ServerCounters& counters = engine_.counters();
  counters.swept += done_.maintenance.swept;
  counters.forgotten += done_.maintenance.forgotten;
  counters.forgotten_early += done_.maintenance.forgotten_early;
  if (!done_.fault.ok()) return done_.fault;
  for (std::unique_ptr<CommitTask>& task : done_.commits) {
    if (!task->status.ok()) return task->status;
    engine_.on_committed(std::move(task));
  }
  for (std::unique_ptr<ReadTask>& task : done_.reads) engine_.on_read(std::move(task), read_clocks());
  return engine_.fault();
}

void Loop::drain(Side side) {
  Peers& peers = sockets_.peers(side);
  const Now now = read_clocks();
  std::size_t taken = 0;
  Route route = 0;
  // Workers are given longer: a lease must not end while its renewal waits here.
  const std::int64_t until = monotonic_us() + (side == Side::worker ? kWorkerTurnMicros : kTurnMicros);
  bool more = true;
  while (more && peers.receive(route)) {
    ++taken;
    more = taken < limits::kTurnMessages && monotonic_us() < until;
    if (peers.malformed()) {
      engine_.on_malformed(side, route, now);
    } else if (side == Side::worker || !turn_away(peers, route)) {
      engine_.on_frame(side, route, peers.frame(), now);
    }
  }
  more_waits_ = more_waits_ || !more;
}

bool Loop::turn_away(Peers& peers, Route route) {
  if (peers.ahead() <= guard_.most_ahead()) return false;
  const std::optional<wire::Envelope> begin = wire::peek(peers.frame());
  // What is no request costs little.
  if (!begin || begin->type < wire::MessageType::submit) return false;
  ++engine_.counters().refusals[static_cast<std::size_t>(Code::retry_later)];
  wire::ErrorReply error;
  error.code = Code::retry_later;
  error.message = "more was sent ahead than the broker holds unread; wait for answers before sending more, and try again";
  error.retry_after = limits::kRetryLaterHint;
  refusal_.clear();
  wire::encode(wire::Message{begin->request, error}, refusal_);
  peers.send(route, refusal_);
  return true;
}

void Loop::tell_closed(Side side) {
  sockets_.peers(side).take_closed(closed_);
  for (const Route route : closed_) {
    log_.debug("peer {} on the {} side is gone", route, side == Side::client ? "clients'" : "workers'");
    engine_.on_closed(route, read_clocks());
  }
  sockets_.peers(side).take_undelivered(undelivered_);
  for (const std::string& frame : undelivered_) engine_.on_undelivered(frame, read_clocks());
  // What that changes is for a turn to send.
  more_waits_ = more_waits_ || !closed_.empty() || !undelivered_.empty();
}

// Submits are refused from here on, what came in is still taken, everything is committed and sent, then peers are told.
Status Loop::stop() {
  log_.info("stopping: committing what is open");
  engine_.begin_shutdown();
  // Peers that go on sending must not hold up the end.
  for (int pass = 0; pass == 0 || (more_waits_ && pass < kLastPasses); ++pass) {
    more_waits_ = false;
    drain(Side::worker);
    drain(Side::client);
    if (Status fault = take_done(); !fault.ok()) return fault;
    engine_.end_turn(read_clocks());
  }
  while (!engine_.is_settled()) {
    std::array<net::WaitItem, 1> items;
    items[0].fd = threads_.done_fd();
    const Now now = read_clocks();
    net::wait(items, engine_.next_deadline(now) <= now.steady ? Millis{0} : kLongestWait);
    if (Status fault = take_done(); !fault.ok()) return fault;
    engine_.end_turn(read_clocks());
  }
  engine_.say_goodbye();
  for (int tries = 0; tries < 10; ++tries) {
    const bool waits = sockets_.peers(Side::worker).flush();
    const bool waits_too = sockets_.peers(Side::client).flush();
    net::wait({}, kGoodbyeWait / 10);
    if (!waits && !waits_too && tries >= 2) break;
  }
  return {};
}

}  // namespace rota::server

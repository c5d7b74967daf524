#include "client/request_table.h"

#include <algorithm>

#include "common/base/check.h"

namespace rota::client {

namespace {

constexpr Millis kFirstHelloPause{2};
constexpr Millis kLongestHelloPause{50};
constexpr double kJitter = 0.2;
constexpr std::size_t kFewAlarms = 1024;  // below this many, void alarms cost less than clearing them
// So many pings without an answer are silence, even if they were sent in short waits with nothing awaited between them. One
// may be unanswered only because nobody has looked since.
constexpr std::uint32_t kSilentPings = 3;

}  // namespace

RequestTable::RequestTable(const Timing& timing, Prng random) : timing_(timing), random_(random) {}

void RequestTable::socket_opened(Steady now) {
  phase_ = Phase::connecting;
  phase_since_ = now;
  socket_at_ = now + jittered(timing_.reopen);
  hello_at_ = now;
  hello_pause_ = kFirstHelloPause;
}

void RequestTable::hello_sent(Steady now) {
  phase_ = Phase::greeting;
  phase_since_ = now;
}

void RequestTable::hello_refused(Steady now) {
  hello_at_ = now + hello_pause_;
  hello_pause_ = std::min(hello_pause_ * 2, kLongestHelloPause);
}

void RequestTable::welcomed(Steady now) {
  if (phase_ == Phase::ready) return;
  phase_ = Phase::ready;
  phase_since_ = now;
  heard(now);
  pinged_ = now;
  resume_ = true;
}

void RequestTable::heard(Steady now) {
  quiet_since_ = heard_at_ = now;
  unanswered_ = 0;
}

void RequestTable::contact_lost(Steady now, Millis hold_off) {
  phase_ = Phase::lost;
  phase_since_ = now;
  socket_at_ = std::max(socket_at_, now + hold_off);
}

void RequestTable::ping_sent(Steady now) {
  if (unanswered_ == 0) pinging_since_ = now;
  ++unanswered_;
  pinged_ = now;
}

wire::Request RequestTable::open(Steady now, Steady deadline, Steady resend_until) {
  if (!pending()) quiet_since_ = now;
  const wire::Request request = next_number_++;
  Entry& entry = entries_[request];
  entry.deadline = deadline;
  entry.resend_until = resend_until;
  // Before the WELCOME nothing is due: resume() takes every open request.
  if (phase_ == Phase::ready && !resume_) entry.due = now;
  schedule(request, entry);
  return request;
}

void RequestTable::sent(wire::Request request, Steady now) {
  const auto found = entries_.find(request);
  if (found == entries_.end()) return;
  Entry& entry = found->second;
  const std::uint32_t doublings = std::min<std::uint32_t>(entry.tries, 16);
  ++entry.tries;
  entry.due = now + jittered(std::min(timing_.first_resend * (1U << doublings), timing_.last_resend));
  if (entry.due > entry.resend_until) entry.due = kNeverSteady;
  schedule(request, entry);
}

void RequestTable::defer(wire::Request request, Steady at) {
  const auto found = entries_.find(request);
  if (found == entries_.end()) return;
  found->second.due = at;
  found->second.deferred_until = at;
  schedule(request, found->second);
}

Millis RequestTable::refusal_pause(Millis hint, std::uint32_t refusals) {
  const Millis base = hint.count() > 0 ? hint : limits::kRetryLaterHint;
  const Millis grown = base * (1U << std::min<std::uint32_t>(refusals, 5));
  return jittered(std::max(base, std::min(grown, limits::kLongestRefusalPause)));
}

void RequestTable::close(wire::Request request) { entries_.erase(request); }

void RequestTable::expect_notices(bool expected, Steady now) {
  if (expected && !pending()) quiet_since_ = now;
  notices_ = expected;
}

void RequestTable::tick(Steady now, Turn& out) {
  out.new_socket = out.silent = out.hello = out.ping = out.resumed = false;
  out.send.clear();
  out.expired.clear();
  tick_connection(now, out);
  if (phase_ == Phase::ready && resume_) resume(now, out);
  tick_requests(now, out);
  drop_void_alarms();
}

void RequestTable::tick_connection(Steady now, Turn& out) {
  switch (phase_) {
    case Phase::lost:
      out.new_socket = now >= socket_at_;
      return;
    case Phase::connecting:
      // libzmq's own retries slow down to seconds; a new socket starts afresh.
      out.new_socket = now >= phase_since_ + timing_.patience;
      out.hello = !out.new_socket && now >= hello_at_;
      return;
    case Phase::greeting:
      // The HELLO may have been lost with a connection that libzmq has since replaced.
      out.new_socket = now >= phase_since_ + timing_.patience;
      return;
    case Phase::ready:
      if (!pending()) return;
      if (now >= silent_at()) {
        out.new_socket = out.silent = true;
        contact_lost(now);
        return;
      }
      out.ping = now >= ping_due();
      return;
  }
}

void RequestTable::resume(Steady now, Turn& out) {
  resume_ = false;
  out.resumed = true;
  for (auto& [request, entry] : entries_) {
    entry.tries = 0;
    if (entry.deferred_until > now) continue;  // its alarm is still set
    entry.due = now;
    schedule(request, entry);
  }
}

void RequestTable::tick_requests(Steady now, Turn& out) {
  while (!alarms_.empty() && alarms_.top().at <= now) {
    const Alarm alarm = alarms_.top();
    alarms_.pop();
    const auto found = entries_.find(alarm.request);
    if (found == entries_.end() || found->second.generation != alarm.generation) continue;
    Entry& entry = found->second;
    if (now >= entry.deadline) {
      out.expired.push_back(alarm.request);
      entries_.erase(found);
      continue;
    }
    entry.due = kNeverSteady;
    schedule(alarm.request, entry);
    if (phase_ == Phase::ready) out.send.push_back(alarm.request);
  }
  std::sort(out.send.begin(), out.send.end());
}

Steady RequestTable::ping_due() const {
  // An open request is a sign of life by itself; who only waits, however shortly and often, sends nothing else, and the
  // broker forgets who is silent.
  if (entries_.empty()) return std::max(heard_at_, pinged_) + timing_.ping;
  return std::max(quiet_since_, pinged_) + timing_.probe;
}

Steady RequestTable::silent_at() const {
  const Steady quiet = quiet_since_ + timing_.silence;
  return unanswered_ < kSilentPings ? quiet : std::min(quiet, pinging_since_ + timing_.silence);
}

Steady RequestTable::next_event() const {
  const Steady request = alarms_.empty() ? kNeverSteady : alarms_.top().at;
  switch (phase_) {
    case Phase::lost:
      return std::min(request, socket_at_);
    case Phase::connecting:
      return std::min({request, hello_at_, phase_since_ + timing_.patience});
    case Phase::greeting:
      return std::min(request, phase_since_ + timing_.patience);
    case Phase::ready:
      break;
  }
  if (resume_) return Steady{0};
  if (!pending()) return request;
  return std::min({request, ping_due(), silent_at()});
}

Millis RequestTable::jittered(Millis base) {
  const double factor = 1 - kJitter + 2 * kJitter * random_.unit();
  return Millis{static_cast<std::int64_t>(static_cast<double>(base.count()) * factor)};
}

void RequestTable::schedule(wire::Request request, Entry& entry) {
  const Steady at = std::min(entry.due, entry.deadline);
  ++entry.generation;
  if (at < kNeverSteady) alarms_.push(Alarm{at, request, entry.generation});
}

// Closed requests leave their alarms behind; without this a fast client would carry seconds' worth of them.
void RequestTable::drop_void_alarms() {
  if (alarms_.size() < kFewAlarms + 4 * entries_.size()) return;
  std::vector<Alarm> valid;
  valid.reserve(entries_.size());
  for (const auto& [request, entry] : entries_) {
    const Steady at = std::min(entry.due, entry.deadline);
    if (at < kNeverSteady) valid.push_back(Alarm{at, request, entry.generation});
  }
  alarms_ = Alarms(std::greater<>{}, std::move(valid));
}

}  // namespace rota::client

#pragma once

#include <cstdint>
#include <map>
#include <queue>
#include <vector>

#include "common/base/clock.h"
#include "common/base/limits.h"
#include "common/base/prng.h"
#include "common/wire/message.h"

namespace rota::client {

// When what is done again. Milliseconds.
struct Timing {
  Millis first_resend = limits::kFirstResend;
  Millis last_resend = limits::kLastResend;  // the backoff stops growing here
  Millis ping = limits::kPingInterval;       // while only notices are awaited
  Millis probe = limits::kProbeInterval;     // while an answer is awaited
  Millis silence = limits::kSilence;
  Millis patience = limits::kGreeting;      // for a connection, and then for the WELCOME
  Millis reopen = limits::kReopenInterval;  // least time between two sockets
};

// What is open towards one broker and what is due: correlation numbers, deadlines, resends with backoff and jitter, pings,
// and the moments at which to open a new socket and to say HELLO. Pure: time comes in as an argument, and what must be done
// comes out of tick(); the caller does it and reports back. Not safe for use from two threads.
class RequestTable {
 public:
  enum class Phase : std::uint8_t {
    lost,        // no socket: tick() asks for one
    connecting,  // a socket, HELLO not yet taken by it
    greeting,    // HELLO is out, no WELCOME yet
    ready,
  };

  RequestTable(const Timing& timing, Prng random);

  // --- the connection
  void socket_opened(Steady now);
  void hello_sent(Steady now);
  // The socket did not take the HELLO: nobody is connected yet.
  void hello_refused(Steady now);
  // From now on requests go out; every open one becomes due again.
  void welcomed(Steady now);
  // Something arrived that could be read.
  void heard(Steady now);
  // NO_SESSION, GOODBYE or the like: the socket is of no more use. `hold_off`: the broker asked to be left alone so long.
  void contact_lost(Steady now, Millis hold_off = Millis{0});
  void ping_sent(Steady now);
  [[nodiscard]] Phase phase() const { return phase_; }
  // Whether a new request may go out at once: a session is open, and what was open before it has been repeated.
  [[nodiscard]] bool may_send() const { return phase_ == Phase::ready && !resume_; }

  // --- requests
  // A new number, due at once when the phase is `ready`. It is repeated until close(), but not after `resend_until`.
  [[nodiscard]] wire::Request open(Steady now, Steady deadline, Steady resend_until = kNeverSteady);
  // A number for a message that is repeated by other means (HELLO, PING, WAIT).
  [[nodiscard]] wire::Request number() { return next_number_++; }
  void sent(wire::Request request, Steady now);
  // The broker refused it for now: it goes out again at `at`, if its deadline allows that.
  void defer(wire::Request request, Steady at);
  // The wait before the given repetition of something refused for now; `hint` is the broker's, 0 for none.
  [[nodiscard]] Millis refusal_pause(Millis hint, std::uint32_t refusals);
  void close(wire::Request request);
  [[nodiscard]] bool is_open(wire::Request request) const { return entries_.contains(request); }
  [[nodiscard]] std::size_t open_count() const { return entries_.size(); }
  // Notices are awaited (a job is watched): keeps the connection under watch without an open request.
  void expect_notices(bool expected, Steady now);

  // --- what is due
  struct Turn {
    bool new_socket = false;
    bool silent = false;  // why the new socket: nothing was heard for too long
    bool hello = false;
    bool ping = false;
    bool resumed = false;                // first turn after a WELCOME: repeat the WAITs too
    std::vector<wire::Request> send;     // report each with sent()
    std::vector<wire::Request> expired;  // their deadline passed; closed already
  };
  // Reuses the storage of `out`.
  void tick(Steady now, Turn& out);
  // When tick() is needed next; it may turn out that nothing is due then.
  [[nodiscard]] Steady next_event() const;

 private:
  struct Entry {
    Steady deadline, resend_until;
    Steady due = kNeverSteady;
    Steady deferred_until{0};
    std::uint32_t tries = 0;
    std::uint32_t generation = 0;  // of the newest alarm; older alarms are void
  };
  struct Alarm {
    Steady at;
    wire::Request request;
    std::uint32_t generation;
    bool operator>(const Alarm& other) const { return at > other.at; }
  };
  using Alarms = std::priority_queue<Alarm, std::vector<Alarm>, std::greater<>>;

  [[nodiscard]] bool pending() const { return !entries_.empty() || notices_; }
  [[nodiscard]] Steady ping_due() const;
  [[nodiscard]] Steady silent_at() const;
  [[nodiscard]] Millis jittered(Millis base);
  void schedule(wire::Request request, Entry& entry);
  void drop_void_alarms();
  void tick_connection(Steady now, Turn& out);
  void tick_requests(Steady now, Turn& out);
  void resume(Steady now, Turn& out);

  Timing timing_;
  Prng random_;
  wire::Request next_number_ = 1;
  std::map<wire::Request, Entry> entries_;  // in order of asking, which is the order of repeating
  Alarms alarms_;
  bool notices_ = false;

  Phase phase_ = Phase::lost;
  bool resume_ = false;
  Steady phase_since_{0};
  Steady socket_at_{0};  // next new socket not before
  Steady hello_at_{0};
  Millis hello_pause_{0};
  Steady quiet_since_{0};  // silence counts from here
  Steady heard_at_{0};
  Steady pinged_{0}, pinging_since_{0};
  std::uint32_t unanswered_ = 0;  // pings since anything was heard, the first at pinging_since_
};

}  // namespace rota::client

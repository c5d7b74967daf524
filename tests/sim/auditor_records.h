#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "broker/server/outbox.h"
#include "common/wire/message.h"

namespace rota::sim {

// What a client asked for, under one id.
struct Ask {
  JobId id;
  std::string queue, type, payload, key;
  std::vector<std::pair<std::string, std::string>> headers;
  wire::JobOptions options;
};

// What the broker was told to promise.
struct Rules {
  Millis lease, reattach, dedup_window;
  std::uint64_t memory_limit = 0;  // 0: large
  bool forgets_early = false;      // more jobs end than it may keep
  bool clock_steps = false;        // the wall clock is set meanwhile
};

// What the auditor writes down.
namespace audit {

// One dispatch of a job, as it left the broker.
struct Sent {
  Token token;
  Uuid session;
  std::uint64_t at = 0;  // in the order of events
  Steady when;
  std::uint64_t life = 0;          // of the broker
  std::uint64_t completed_at = 0;  // first COMPLETE received; 0: none
  Steady completed_when{};
  std::uint64_t completed_life = 0;
  AttemptEnd end = AttemptEnd::succeeded;
  bool counted = false;  // a COMPLETE was answered OK
  bool over = false;     // given back, not listed by a HELLO, never left, or its worker is gone
  bool never_left = false;
  bool given_back = false;  // unstarted, or gone from its worker's list: no loss
  bool claimed = false;     // its worker said that it started, while its lease lasted for certain
  bool late = false;        // completed when its lease might have ended
  bool lost = false;        // certainly charged as a loss
  std::uint32_t runs = 0;
  Millis expires_in{0};
  std::optional<Steady> arrived{};  // at its worker
};
// A run that ended, as its host saw it.
struct Run {
  JobId id;
  Token token;
  AttemptEnd end = AttemptEnd::succeeded;
  Steady from;
  bool stop_asked = false;  // its worker wanted it stopped
  bool stalled = false;     // its worker stood still meanwhile
  Steady heard;             // when its worker last got anything of a broker
};
struct Job {
  Ask ask;
  std::uint64_t received_at = 0, acked_at = 0;  // first; 0: never
  Steady received_when, acked_when;
  std::uint64_t accepted_request = 0;  // the event of the SUBMITTED that said OK
  std::size_t accepted_item = 0;
  std::uint64_t acked_life = 0, received_life = 0;
  std::optional<JobState> told;  // its end, as somebody was told
  std::string told_result;
  std::uint32_t retries_open = 0;  // RETRY received and not used up
  std::uint64_t retried_at = 0;
  bool retried = false;
  bool cancel_asked = false, cancel_acked = false;
  bool may_be_forgotten = false;  // a purge, a keep that was short, a restart for memory jobs
  std::uint64_t accepted_times = 0;
  std::uint64_t submits = 0;    // received
  std::uint64_t told_at = 0;    // when its end was told first
  std::uint64_t told_life = 0;  // of the broker; 0: asked for anew since
  std::uint64_t purged_at = 0;  // when a purge that covers its end was answered; 0: asked for anew since
  std::uint64_t restarts = 0;   // before it was first received
  std::deque<Sent> sent;        // pointers into it stay
};
struct Session {
  std::string name, host, boot;
  std::uint64_t pid = 0, start = 0;
  std::uint64_t life = 0;          // of the broker that knows it
  server::Route newest_route = 0;  // of its last HELLO
  std::uint64_t hello_at = 0;      // and what that one lists
  std::uint64_t drain_from = 0;    // a drain that was asked for before this may have ended with its lease
  std::set<Token> listed;
  std::vector<std::string> queues, types;
  std::deque<std::uint32_t> credits;  // that may have counted for what is sent now
  std::set<Token> open;               // dispatched and unfinished
  std::vector<Sent*> lasting;         // dispatches that are not over
  std::uint64_t welcomed_at = 0;
  bool drain_acked = false, drained = false;  // and all is sent that was decided before
  Steady contact;
  bool gone = false;  // said goodbye, or replaced
  std::uint64_t gone_at = 0;
};
// A LIST and those that go on where it stopped.
struct Chain {
  std::uint64_t at = 0;  // of the first
  std::string queue, type;
  std::uint32_t states = 0;
  std::shared_ptr<std::set<JobId>> seen;  // of all of them together
  std::optional<JobId> last;
};
// A purge or retry of a queue and those that go on where it stopped.
struct Bulk {
  std::uint64_t at = 0;     // of the first
  std::vector<JobId> jobs;  // that it must deal with
  std::uint64_t done = 0;   // as far as it was answered
};
// A request whose answer is to come.
struct Question {
  std::uint64_t at = 0;
  wire::MessageType type = wire::MessageType::ping;
  bool notify = false;
  std::vector<JobId> ids;
  std::vector<std::string> payloads, keys;
  std::vector<Durability> durabilities;
  std::vector<Token> tokens;
  std::vector<std::uint64_t> first_seen;  // COMPLETE: the event at which each token's completion first came
  std::vector<AttemptEnd> ends;
  std::vector<wire::TokenOf> started, held, finished;  // HELLO
  Uuid session;
  Steady when;
  std::string verb, queue, worker;
  Chain chain;  // LIST
  Bulk bulk;    // ADMIN purge and retry
};
// As far as it was told with an end.
struct Details {
  std::optional<std::string> result;
  std::optional<std::uint32_t> losses;
};

}  // namespace audit
}  // namespace rota::sim

#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "broker/server/outbox.h"
#include "common/wire/message.h"
#include "tests/sim/timeline.h"
#include "tests/sim/trace.h"

namespace rota::sim {

// What a client asked for, under one id.
struct Ask {
  JobId id;
  std::string queue, type, payload, key;
  wire::JobOptions options;
};

// What the broker was told to promise.
struct Rules {
  Millis lease, reattach, dedup_window;
};

// The independent judge. It knows what clients asked, what went over the broker's edge in both directions and in which
// order, and which runs really took place on workers; nothing of what the broker thinks. The first broken promise is kept.
class Auditor {
 public:
  Auditor(const Timeline& timeline, Trace& trace, Rules rules) : timeline_(timeline), trace_(trace), rules_(rules) {}

  // --- what happens
  void asked(const Ask& ask);
  void received(server::Side side, server::Route route, const wire::Message& message);
  void sent(server::Side side, server::Route route, const wire::Message& message);
  // The network did not take this frame of the broker.
  void undelivered(const wire::Message& message);
  void broker_stopped();
  void broker_started();
  // Nothing that the broker decided so far waits to be sent.
  void all_is_sent();
  void run_started(const Uuid& session, const JobId& id, Token token, std::string_view payload);
  void run_ended(const JobId& id, Token token, AttemptEnd end);

  // --- verdicts
  [[nodiscard]] bool failed() const { return !verdict_.empty(); }
  [[nodiscard]] const std::string& verdict() const { return verdict_; }
  void fail(const std::string& what);
  // At the end, when everything is quiet: acknowledged jobs that nobody was told the end of, and that may not be forgotten.
  [[nodiscard]] std::vector<JobId> unsettled() const;
  // Checks that need the whole history: first dispatches in order.
  void judge_order();

  struct Totals {
    std::uint64_t asked = 0, acknowledged = 0, dispatches = 0, repeats = 0, succeeded = 0, other_ends = 0, stale = 0,
                  restarts = 0, revivals = 0;
  };
  [[nodiscard]] const Totals& totals() const { return totals_; }
  [[nodiscard]] const Ask* ask_of(const JobId& id) const;

 private:
  // One dispatch of a job, as it left the broker.
  struct Sent {
    Token token;
    Uuid session;
    std::uint64_t at = 0;  // in the order of events
    Steady when;
    std::uint64_t life = 0;          // of the broker
    std::uint64_t completed_at = 0;  // first COMPLETE received; 0: none
    AttemptEnd end = AttemptEnd::succeeded;
    bool counted = false;  // a COMPLETE was answered OK
    bool over = false;     // given back, not listed by a HELLO, never left, or its worker is gone
    std::uint32_t runs = 0;
  };
  struct Job {
    Ask ask;
    std::uint64_t received_at = 0, acked_at = 0;  // first; 0: never
    Steady received_when;
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
    std::vector<Sent> sent;
  };
  struct Session {
    std::string name, host, boot;
    std::uint64_t pid = 0, start = 0;
    std::uint64_t life = 0;          // of the broker that knows it
    server::Route newest_route = 0;  // of its last HELLO
    std::vector<std::string> queues, types;
    std::deque<std::uint32_t> credits;  // that may have counted for what is sent now
    std::set<Token> open;               // dispatched and unfinished
    Steady contact;
    bool gone = false;  // said goodbye, or replaced
    std::uint64_t gone_at = 0;
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
    std::vector<Token> started, held, finished;  // HELLO
    Uuid session;
    Steady when;
    std::string verb, queue;
  };
  using QuestionKey = std::pair<server::Route, wire::Request>;

  void ask(server::Route route, const wire::Message& message, Question question);
  // auditor_clients.cc
  void received_from_client(server::Route route, const wire::Message& message);
  void sent_to_client(server::Route route, const wire::Message& message);
  void note_submit(server::Route route, const wire::Message& message, const wire::Submit& submit);
  void note_admin(server::Route route, const wire::Message& message, const wire::Admin& admin);
  void judge_submitted(const Question& asked, const wire::Submitted& answer);
  void judge_accepted(const Question& asked, std::size_t item, Job& job, const wire::ItemResult& result);
  void judge_results(const Question& asked, const wire::Results& answer);
  void judge_notify(const Question* asked, const wire::Notify& answer);
  void judge_jobs(std::uint64_t asked_at, const wire::Jobs& answer);
  void judge_admin(const Question& asked, const wire::AdminReply& answer);
  // auditor_ends.cc
  // As far as it was told with it.
  struct Details {
    std::optional<std::string> result;
    std::optional<std::uint32_t> losses;
  };
  void told_end(Job& job, JobState state, std::string_view why, const Details& details);
  void judge_end(const Job& job, JobState state, const Details& details);
  void told_alive(Job& job, JobState state, std::string_view why);
  void told_unknown(const Job& job, std::uint64_t asked_at, std::string_view why);
  // auditor_workers.cc
  void received_from_worker(server::Route route, const wire::Message& message);
  void sent_to_worker(server::Route route, const wire::Message& message);
  void note_hello(server::Route route, const wire::Message& message, const wire::Hello& hello);
  void note_complete(server::Route route, const wire::Message& message, const wire::Complete& complete);
  void note_contact(server::Route route, std::optional<std::uint32_t> credit);
  void judge_welcome(server::Route route, const Question& asked, const wire::Welcome& welcome);
  void judge_dispatch(server::Route route, const wire::Dispatch& dispatch);
  void judge_redispatch(Job& job, const Sent& before, Token token);
  void judge_key(const Job& job, const std::string& text);
  void judge_credit(const Session& session, const std::string& text);
  void judge_completed(const Question& asked, const wire::Completed& completed);
  void judge_counted(Job& job, Token token, AttemptEnd end, std::uint64_t first_seen);
  [[nodiscard]] bool lease_may_be_over(const Sent& sent) const;
  void end_dispatches_of(const Uuid& session);

  [[nodiscard]] Job* job_of(const JobId& id);
  [[nodiscard]] Sent* dispatch_of(const JobId& id, Token token);
  [[nodiscard]] std::string name(const JobId& id) { return trace_.name_of(id); }
  [[nodiscard]] Session* session_on(server::Route route);

  const Timeline& timeline_;
  Trace& trace_;
  Rules rules_;
  std::string verdict_;
  Totals totals_;
  std::uint64_t event_ = 0;
  std::uint64_t life_ = 0;
  Steady started_;
  std::map<JobId, Job> jobs_;
  std::map<Uuid, Session> sessions_;
  std::map<server::Route, Uuid> bound_;  // route → session
  std::map<QuestionKey, Question> questions_;
  std::map<std::pair<JobId, Token>, std::uint64_t> completed_first_;
  std::map<std::string, std::uint64_t> resumes_open_, purges_open_;  // received and not answered, by queue
  std::set<std::string> paused_;                                     // acknowledged, and no resume received since
};

}  // namespace rota::sim

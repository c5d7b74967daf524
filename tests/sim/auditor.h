#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "broker/server/outbox.h"
#include "common/wire/message.h"
#include "tests/sim/auditor_records.h"
#include "tests/sim/timeline.h"
#include "tests/sim/trace.h"

namespace rota::sim {

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
  void run_ended(const audit::Run& run);
  // The worker's process took it from its socket.
  void dispatch_arrived(const wire::Dispatch& dispatch);
  // The broker does nothing until then.
  void broker_stalls(Steady until) { broker_stalled_until_ = std::max(broker_stalled_until_, until); }
  // The broker takes something that is no message of the protocol on that route; it has been handed in.
  void malformed(server::Route route) { refusal_due_ = route; }
  void malformed_taken();

  // --- verdicts
  [[nodiscard]] bool failed() const { return !verdict_.empty(); }
  [[nodiscard]] const std::string& verdict() const { return verdict_; }
  void fail(const std::string& what);
  // At the end, when everything is quiet: acknowledged jobs that nobody was told the end of, and that may not be forgotten.
  [[nodiscard]] std::vector<JobId> unsettled() const;
  // Checks that need the whole history: first dispatches in order.
  void judge_order();

  struct Totals {
    std::uint64_t asked = 0, acknowledged = 0, dispatches = 0, repeats = 0, succeeded = 0, other_ends = 0, restarts = 0,
                  revivals = 0;
    std::uint64_t stale = 0;       // runs that were told not to count, by WELCOME or COMPLETED
    std::uint64_t stale_late = 0;  // by COMPLETED
  };
  [[nodiscard]] const Totals& totals() const { return totals_; }
  [[nodiscard]] const Ask* ask_of(const JobId& id) const;

 private:
  using Sent = audit::Sent;
  using Job = audit::Job;
  using Session = audit::Session;
  using Question = audit::Question;
  using QuestionKey = std::pair<server::Route, wire::Request>;

  void ask(server::Route route, const wire::Message& message, Question question);
  // auditor_clients.cc
  void received_from_client(server::Route route, const wire::Message& message);
  void sent_to_client(server::Route route, const wire::Message& message);
  void note_submit(server::Route route, const wire::Message& message, const wire::Submit& submit);
  void judge_submitted(const Question& asked, const wire::Submitted& answer);
  void judge_accepted(const Question& asked, std::size_t item, Job& job, const wire::ItemResult& result);
  void judge_results(const Question& asked, const wire::Results& answer);
  void judge_notify(server::Route route, const Question* asked, const wire::Notify& answer);
  void judge_jobs(std::uint64_t asked_at, const wire::Jobs& answer);
  void judge_job(std::uint64_t asked_at, const wire::JobInfo& info, std::string_view why);
  void judge_memory();
  // auditor_queues.cc: what clients ask of whole queues
  void note_admin(server::Route route, const wire::Message& message, const wire::Admin& admin);
  void note_list(server::Route route, const wire::Message& message, const wire::List& list);
  void begin_bulk(Question& question);
  void judge_admin(const Question& asked, const wire::AdminReply& answer);
  void judge_bulk(const Question& asked, const wire::AdminReply& answer);
  void judge_purged(const audit::Bulk& bulk);
  void judge_listed(const Question& asked, const wire::Listed& answer);
  void note_retry(Job& job);
  void judge_unlisted(const audit::Chain& chain, const std::optional<JobId>& before, bool is_end);
  [[nodiscard]] bool must_be_listed(const Job& job, const audit::Chain& chain) const;
  void judge_refusal(server::Route route, const wire::Message& message);
  void judge_error(server::Route route, const wire::Message& message, const wire::ErrorReply& error);
  // auditor_ends.cc
  using Details = audit::Details;
  void told_end(Job& job, JobState state, std::string_view why, const Details& details);
  void judge_end(const Job& job, JobState state, const Details& details);
  void told_alive(Job& job, JobState state, std::string_view why);
  void judge_losses(const Job& job, std::uint32_t losses);
  [[nodiscard]] static bool is_of_the_past(const Job& job, std::uint64_t asked_at);
  [[nodiscard]] bool may_be_gone(const Job& job, Millis early = Millis{0}) const;
  void told_unknown(const Job& job, std::uint64_t asked_at, std::string_view why);
  // auditor_workers.cc
  void received_from_worker(server::Route route, const wire::Message& message);
  void sent_to_worker(server::Route route, const wire::Message& message);
  void note_hello(server::Route route, const wire::Message& message, const wire::Hello& hello);
  void note_complete(server::Route route, const wire::Message& message, const wire::Complete& complete);
  void note_contact(server::Route route, std::optional<std::uint32_t> credit);
  void judge_welcome(server::Route route, const Question& asked, const wire::Welcome& welcome);
  void judge_kept(const Question& asked, const wire::TokenOf& one);
  void judge_finished(const Question& asked, const wire::TokenOf& one);
  void claim_started(Session& session, std::uint64_t through);
  void judge_dispatch(server::Route route, const wire::Dispatch& dispatch);
  void judge_redispatch(Job& job, const Sent& before, Token token);
  void judge_content(const Job& job, const wire::DispatchShared& shared, const wire::DispatchItem& item,
                     const std::string& text);
  void judge_credit(const Session& session, const std::string& text);
  void judge_completed(const Question& asked, const wire::Completed& completed);
  void judge_counted(Job& job, Token token, AttemptEnd end, std::uint64_t first_seen);
  [[nodiscard]] bool may_have_been_withheld(const Job& job) const;
  [[nodiscard]] bool one_never_left(const Job& early, const Sent& second) const;
  [[nodiscard]] bool lease_may_be_over(const Sent& sent) const;
  void end_dispatches_of(Session& session);

  // auditor_limits.cc: what the options of a job allow
  void judge_limits(Job& job, const wire::DispatchShared& shared, const wire::DispatchItem& item, const std::string& text);
  void judge_wait(const Job& job, const std::string& text);
  void judge_expiry(const Job& job, const wire::DispatchItem& item, const std::string& text);
  void judge_spent(Job& job, const std::string& text);
  void judge_key(const Job& job, const std::string& text);
  void note_loss(Sent& before);

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
  Steady started_, broker_stalled_until_;
  std::map<JobId, Job> jobs_;
  std::map<Uuid, Session> sessions_;
  std::map<server::Route, Uuid> bound_;  // route → session
  std::map<QuestionKey, Question> questions_;
  struct Completions {
    std::uint64_t first = 0;  // the event
    std::uint64_t times = 0;
  };
  std::map<std::pair<Token, JobId>, Completions> completions_;
  std::map<std::string, std::uint64_t> resumes_open_, purges_open_, retries_open_;  // received and not answered, by queue
  std::set<std::string> paused_;                     // acknowledged, and no resume received since
  std::map<std::string, audit::Chain> chains_;       // lists that go on, by cursor
  std::map<std::string, audit::Bulk> bulks_;         // purges and retries that go on, by cursor
  std::map<server::Route, std::uint64_t> departed_;  // clients that said goodbye
  std::vector<std::uint64_t> turnovers_;             // a HELLO or GOODBYE of a worker came
  server::Route refusal_due_ = 0;                    // took something malformed
  bool refused_ = false;
};

}  // namespace rota::sim

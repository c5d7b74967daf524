#include "tests/sim/auditor.h"

#include <algorithm>
#include <set>

namespace rota::sim {

void Auditor::fail(const std::string& what) {
  if (failed()) return;
  verdict_ = what;
  trace_.note("! " + what);
}

void Auditor::asked(const Ask& ask) {
  ++totals_.asked;
  Job& job = jobs_[ask.id];
  job.ask = ask;
  (void)trace_.name_of(ask.id);  // in the same order whether it prints or not
}

const Ask* Auditor::ask_of(const JobId& id) const {
  const auto at = jobs_.find(id);
  return at == jobs_.end() ? nullptr : &at->second.ask;
}

Auditor::Job* Auditor::job_of(const JobId& id) {
  const auto at = jobs_.find(id);
  return at == jobs_.end() ? nullptr : &at->second;
}

Auditor::Sent* Auditor::dispatch_of(const JobId& id, Token token) {
  Job* job = job_of(id);
  if (job == nullptr) return nullptr;
  const auto at = std::find_if(job->sent.rbegin(), job->sent.rend(), [&](const Sent& one) { return one.token == token; });
  return at == job->sent.rend() ? nullptr : &*at;
}

Auditor::Session* Auditor::session_on(server::Route route) {
  const auto at = bound_.find(route);
  return at == bound_.end() ? nullptr : &sessions_.at(at->second);
}

void Auditor::received(server::Side side, server::Route route, const wire::Message& message) {
  ++event_;
  if (side == server::Side::client) {
    received_from_client(route, message);
  } else {
    received_from_worker(route, message);
  }
}

void Auditor::sent(server::Side side, server::Route route, const wire::Message& message) {
  ++event_;
  if (refusal_due_ != 0) return judge_refusal(route, message);
  if (const auto* error = std::get_if<wire::ErrorReply>(&message.body)) return judge_error(route, message, *error);
  if (side == server::Side::client) {
    sent_to_client(route, message);
  } else {
    sent_to_worker(route, message);
  }
}

void Auditor::ask(server::Route route, const wire::Message& message, Question question) {
  const auto [at, is_new] = questions_.try_emplace({route, message.request});
  // The same once more: an answer may still be to the first.
  if (!is_new) {
    question.at = at->second.at;
    if (question.type == at->second.type) {
      question.chain = at->second.chain;
      question.bulk = at->second.bulk;
    }
  }
  at->second = std::move(question);
}

void Auditor::undelivered(const wire::Message& message) {
  const auto* dispatch = std::get_if<wire::Dispatch>(&message.body);
  if (dispatch == nullptr) return;
  for (const wire::DispatchItem& item : dispatch->items) {
    Sent* one = dispatch_of(item.id, {dispatch->epoch, item.dispatch});
    if (one != nullptr) one->over = one->never_left = one->given_back = true;
  }
}

// Leases that may have ended by now stay ended, although nobody was told.
void Auditor::broker_stopped() {
  for (auto& [uuid, session] : sessions_) {
    for (Sent* sent : session.lasting) sent->over = sent->over || lease_may_be_over(*sent);
  }
}

void Auditor::broker_started() {
  ++event_;
  ++life_;
  if (life_ > 1) ++totals_.restarts;
  started_ = timeline_.now().steady;
  bound_.clear();
  questions_.clear();
  resumes_open_.clear();
  purges_open_.clear();
  retries_open_.clear();
  departed_.clear();
  for (auto& [uuid, session] : sessions_) session.drain_acked = session.drained = false;  // a drain is not stored
  for (auto& [id, job] : jobs_) {
    // What was promised to memory is lost with it.
    if (job.ask.options.durability == Durability::memory && job.received_at != 0) {
      job.may_be_forgotten = true;
      job.told.reset();
      job.accepted_times = 0;
    }
  }
}

void Auditor::all_is_sent() {
  for (auto& [uuid, session] : sessions_) {
    while (session.credits.size() > 1) session.credits.pop_front();
    session.drained = session.drain_acked;
  }
}

void Auditor::run_started(const Uuid& session, const JobId& id, Token token, std::string_view payload) {
  ++event_;
  Sent* sent = dispatch_of(id, token);
  if (sent == nullptr)
    return fail("a worker runs " + name(id) + " under " + text_of(token) + ", which was never dispatched");
  const Job& job = *job_of(id);
  if (sent->session != session)
    return fail(name(id) + " " + text_of(token) + " runs on another worker than it was given to");
  if (++sent->runs > 1) return fail(name(id) + " " + text_of(token) + " runs twice under one token");
  if (payload != job.ask.payload) return fail(name(id) + " runs with the payload of another job");
  if (sent->expires_in.count() > 0 && sent->arrived && timeline_.now().steady > *sent->arrived + sent->expires_in) {
    fail(name(id) + " " + text_of(token) + " is started although it had expired");
  }
}

std::vector<JobId> Auditor::unsettled() const {
  std::vector<JobId> ids;
  for (const auto& [id, job] : jobs_) {
    if (job.acked_at != 0 && !job.told && !may_be_gone(job)) ids.push_back(id);
  }
  return ids;
}

// Its first dispatch may have waited for the disk while a worker's session ended or began anew, and never left.
bool Auditor::may_have_been_withheld(const Job& job) const {
  const Sent& first = job.sent.front();
  if (first.when - job.received_when >= rules_.lease) return true;
  const auto next = std::upper_bound(turnovers_.begin(), turnovers_.end(), job.received_at);
  return next != turnovers_.end() && *next < first.at;
}

// Whether a dispatch that was decided after the broker took `early`, and before `second`, never left: it may have been that
// of `early`, to a worker whose connection was gone when it was to leave.
bool Auditor::one_never_left(const Job& early, const Sent& second) const {
  std::set<std::uint64_t> left;
  std::uint64_t known = 0;  // decided before `early` was received
  for (const auto& [id, job] : jobs_) {
    for (const Sent& sent : job.sent) {
      if (sent.token.epoch != second.token.epoch) continue;
      left.insert(sent.token.dispatch);
      if (sent.at < early.received_at) known = std::max(known, sent.token.dispatch);
    }
  }
  for (std::uint64_t number = known + 1; number < second.token.dispatch; ++number) {
    if (!left.contains(number)) return true;
  }
  return false;
}

// Of two jobs of one queue and type, accepted one certainly before the other and both ready at once, the first goes first,
// unless the other's priority is higher.
void Auditor::judge_order() {
  std::vector<const Job*> plain;
  for (const auto& [id, job] : jobs_) {
    // A retry puts a job that never ran behind the others.
    if (job.accepted_times != 1 || job.accepted_request == 0 || job.sent.empty() || job.retried || job.may_be_forgotten)
      continue;
    if (job.ask.options.delay.count() > 0 || job.ask.options.run_at.ms > 0) continue;
    plain.push_back(&job);
  }
  for (const Job* early : plain) {
    if (may_have_been_withheld(*early)) continue;
    for (const Job* late : plain) {
      if (early == late || early->ask.queue != late->ask.queue || early->ask.type != late->ask.type) continue;
      if (early->ask.options.priority < late->ask.options.priority) continue;
      const bool before = early->acked_at < late->received_at ||
                          (early->accepted_request == late->accepted_request && early->accepted_item < late->accepted_item);
      if (!before) continue;
      const Sent& first = early->sent.front();
      const Sent& second = late->sent.front();
      // A dispatch that a crash kept from leaving is not seen.
      if (first.life != early->acked_life || second.life != first.life) continue;
      if (second.token < first.token && !one_never_left(*early, second)) {
        const bool is_lower = late->ask.options.priority < early->ask.options.priority;
        return fail(name(late->ask.id) + " (priority " + std::to_string(late->ask.options.priority) +
                    ") was dispatched as " + text_of(second.token) + " before " + name(early->ask.id) + " (priority " +
                    std::to_string(early->ask.options.priority) + ") as " + text_of(first.token) + " although " +
                    (is_lower ? "its priority is lower" : "it was accepted later"));
      }
    }
  }
}

}  // namespace rota::sim

// What clients ask of whole queues: lists, purges, retries, pauses; and what is refused.
#include <algorithm>

#include "common/base/code.h"
#include "common/base/job_state.h"
#include "tests/sim/auditor.h"

namespace rota::sim {
namespace {

std::string_view text_in(const wire::AdminReply& reply, std::string_view name) {
  for (const auto& row : reply.rows) {
    for (const wire::AdminValue& value : row) {
      if (value.name == name && std::holds_alternative<std::string_view>(value.value)) {
        return std::get<std::string_view>(value.value);
      }
    }
  }
  return {};
}

std::uint64_t number_in(const wire::AdminReply& reply, std::string_view name) {
  for (const auto& row : reply.rows) {
    for (const wire::AdminValue& value : row) {
      if (value.name == name && std::holds_alternative<std::int64_t>(value.value)) {
        return static_cast<std::uint64_t>(std::get<std::int64_t>(value.value));
      }
    }
  }
  return 0;
}

}  // namespace

void Auditor::note_admin(server::Route route, const wire::Message& message, const wire::Admin& admin) {
  Question question;
  question.at = event_;
  question.type = wire::MessageType::admin;
  question.verb = admin.verb;
  std::string cursor;
  for (const wire::Pair& pair : admin.arguments) {
    if (pair.first == "queue") question.queue = pair.second;
    if (pair.first == "worker") question.worker = pair.second;
    if (pair.first == "cursor") cursor = pair.second;
  }
  if (admin.verb == "resume") {
    paused_.erase(question.queue);
    ++resumes_open_[question.queue];
  }
  if (admin.verb == "purge") ++purges_open_[question.queue];
  if (admin.verb == "retry") ++retries_open_[question.queue];
  if (admin.verb == "purge" || admin.verb == "retry") {
    const auto earlier = bulks_.find(cursor);
    if (!cursor.empty() && earlier != bulks_.end()) {
      question.bulk = earlier->second;
    } else {
      begin_bulk(question);
    }
  }
  ask(route, message, std::move(question));
}

// Which jobs it must deal with: those of which everybody knows that they have ended.
void Auditor::begin_bulk(Question& question) {
  const bool purges = question.verb == "purge";
  question.bulk.at = event_;
  for (auto& [id, job] : jobs_) {
    if (job.ask.queue != question.queue || job.received_at == 0) continue;
    const bool certain = job.told && !may_be_gone(job) && !job.retried && job.ask.options.durability == Durability::fsync &&
                         !rules_.clock_steps && job.submits == 1;
    if (certain && (purges || *job.told == JobState::failed)) question.bulk.jobs.push_back(id);
    if (purges) {
      job.may_be_forgotten = true;
      continue;
    }
    note_retry(job);
  }
}

void Auditor::note_retry(Job& job) {
  ++job.retries_open;
  job.retried = true;
  job.retried_at = event_;
  job.told_life = 0;
  // What is told of memory jobs does not wait in line with the rest: their ends cannot be put in order.
  if (job.ask.options.durability == Durability::memory) job.may_be_forgotten = true;
}

void Auditor::judge_admin(const Question& asked, const wire::AdminReply& answer) {
  if (asked.verb == "resume" && resumes_open_[asked.queue] > 0) --resumes_open_[asked.queue];
  if (asked.verb == "purge" && purges_open_[asked.queue] > 0) --purges_open_[asked.queue];
  if (asked.verb == "retry" && retries_open_[asked.queue] > 0) --retries_open_[asked.queue];
  if (asked.verb == "purge" || asked.verb == "retry") return judge_bulk(asked, answer);
  if (asked.verb == "drain" && answer.code == Code::ok) {
    for (auto& [uuid, session] : sessions_) {
      const bool is_it = session.name == asked.worker && !session.gone && session.life == life_;
      if (is_it && session.welcomed_at != 0 && session.welcomed_at < asked.at && session.drain_from < asked.at) {
        session.drain_acked = true;
      }
    }
  }
  if (asked.verb != "pause" || answer.code != Code::ok) return;
  // A resume that came before may be carried out after it.
  if (resumes_open_[asked.queue] > 0) return;
  paused_.insert(asked.queue);
}

void Auditor::judge_bulk(const Question& asked, const wire::AdminReply& answer) {
  if (answer.code != Code::ok) {
    if (!asked.bulk.jobs.empty()) fail("the queue " + asked.queue + " is not known any more (" + asked.verb + ")");
    return;
  }
  audit::Bulk bulk = asked.bulk;
  const std::string cursor(text_in(answer, "cursor"));
  bulk.done += number_in(answer, "retried") + number_in(answer, "refused");
  if (!cursor.empty()) {
    bulks_[cursor] = std::move(bulk);
    return;
  }
  if (asked.verb == "purge") return judge_purged(bulk);
  const auto still = [&](const JobId& id) {
    const Job& job = *job_of(id);
    return job.retried_at == bulk.at && !may_be_gone(job) && job.submits == 1;
  };
  const auto most = static_cast<std::uint64_t>(std::count_if(bulk.jobs.begin(), bulk.jobs.end(), still));
  if (bulk.done < most) {
    fail("a retry of the queue " + asked.queue + " took " + std::to_string(bulk.done) + " jobs, but " +
         std::to_string(most) + " had failed");
  }
}

void Auditor::judge_purged(const audit::Bulk& bulk) {
  for (const JobId& id : bulk.jobs) {
    Job& job = *job_of(id);
    if (job.submits == 1 && !job.retried) job.purged_at = event_;
  }
}

// --- lists --------------------------------------------------------------------------------------------------------------

void Auditor::note_list(server::Route route, const wire::Message& message, const wire::List& list) {
  Question question;
  question.at = event_;
  question.type = wire::MessageType::list;
  question.queue = list.queue;
  const auto earlier = chains_.find(std::string(list.cursor));
  if (!list.cursor.empty() && earlier != chains_.end()) question.chain = earlier->second;
  if (question.chain.at == 0) {
    question.chain.at = event_;
    question.chain.seen = std::make_shared<std::set<JobId>>();
    question.chain.queue = list.queue;
    question.chain.type = list.type;
    question.chain.states = list.states;
  }
  ask(route, message, std::move(question));
}

void Auditor::judge_listed(const Question& asked, const wire::Listed& answer) {
  audit::Chain chain = asked.chain;
  for (const wire::JobInfo& info : answer.jobs) {
    if (chain.last && !(info.id < *chain.last)) return fail("a list names " + name(info.id) + " out of order, or twice");
    chain.last = info.id;
    chain.seen->insert(info.id);
    const bool matches = (chain.queue.empty() || info.queue == chain.queue) &&
                         (chain.type.empty() || info.type == chain.type) &&
                         (chain.states == 0 || (chain.states & state_bit(info.state)) != 0);
    if (!matches) return fail("a list names " + name(info.id) + ", which is not of those that were asked for");
    judge_job(asked.at, info, "LIST");
    if (failed()) return;
  }
  judge_unlisted(chain, asked.chain.last, answer.cursor.empty());
  if (!answer.cursor.empty()) chains_[std::string(answer.cursor)] = std::move(chain);
}

bool Auditor::must_be_listed(const Job& job, const audit::Chain& chain) const {
  if (job.acked_at == 0 || job.acked_at >= chain.at || job.ask.options.durability != Durability::fsync) return false;
  if (may_be_gone(job)) return false;
  if (!chain.queue.empty() && job.ask.queue != chain.queue) return false;
  if (!chain.type.empty() && job.ask.type != chain.type) return false;
  if (chain.states == 0) return true;
  return job.told && !job.retried && job.told_at < chain.at && (chain.states & state_bit(*job.told)) != 0;
}

// Everything from where the page before ended down to where this one did.
void Auditor::judge_unlisted(const audit::Chain& chain, const std::optional<JobId>& before, bool is_end) {
  if (!is_end && !chain.last) return;
  const auto end = before ? jobs_.lower_bound(*before) : jobs_.end();
  for (auto at = is_end ? jobs_.begin() : jobs_.lower_bound(*chain.last); at != end; ++at) {
    if (!must_be_listed(at->second, chain) || chain.seen->contains(at->first)) continue;
    return fail(name(at->first) + " is missing in a list");
  }
}

// --- refusals -----------------------------------------------------------------------------------------------------------

void Auditor::judge_refusal(server::Route route, const wire::Message& message) {
  const auto* error = std::get_if<wire::ErrorReply>(&message.body);
  const bool refuses = error != nullptr && route == refusal_due_ && !refused_ &&
                       (error->code == Code::bad_message || error->code == Code::too_large || error->code == Code::version);
  if (!refuses) return fail("something that is no message is answered with " + trace_.describe(message));
  refused_ = true;
}

void Auditor::malformed_taken() {
  if (!failed() && !refused_) fail("something that is no message was not refused");
  refusal_due_ = 0;
  refused_ = false;
}

// Refused as a whole: nothing came of it.
void Auditor::judge_error(server::Route route, const wire::Message& message, const wire::ErrorReply& error) {
  const auto at = questions_.find({route, message.request});
  if (at == questions_.end()) return;
  const Question& asked = at->second;
  // Nothing that came without a session was taken, so it has not been seen yet.
  for (std::size_t i = 0; i < asked.tokens.size() && error.code == Code::no_session; ++i) {
    const auto seen = completions_.find({asked.tokens[i], asked.ids[i]});
    if (seen == completions_.end() || seen->second.times != 1) continue;
    completions_.erase(seen);
    if (Sent* sent = dispatch_of(asked.ids[i], asked.tokens[i])) sent->completed_at = 0;
  }
  if (asked.type == wire::MessageType::retry) {
    for (const JobId& id : asked.ids) {
      if (Job* job = job_of(id); job != nullptr && job->retries_open > 0) --job->retries_open;
    }
  }
  if (asked.verb == "resume") --resumes_open_[asked.queue];
  if (asked.verb == "purge") --purges_open_[asked.queue];
  if (asked.verb == "retry") --retries_open_[asked.queue];
  if (asked.type != wire::MessageType::list || error.code != Code::not_found) return;
  for (const auto& [id, job] : jobs_) {
    if (!must_be_listed(job, asked.chain)) continue;
    return fail("the queue " + asked.queue + " is not known any more, but " + name(id) + " was acknowledged (LIST)");
  }
}

}  // namespace rota::sim

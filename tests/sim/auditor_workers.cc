// What workers say and are given.
#include <algorithm>

#include "common/base/code.h"
#include "common/wire/codec.h"
#include "tests/sim/auditor.h"

namespace rota::sim {

void Auditor::received_from_worker(server::Route route, const wire::Message& message) {
  if (const auto* hello = std::get_if<wire::Hello>(&message.body)) return note_hello(route, message, *hello);
  if (const auto* complete = std::get_if<wire::Complete>(&message.body)) return note_complete(route, message, *complete);
  if (const auto* renew = std::get_if<wire::Renew>(&message.body)) {
    note_contact(route, renew->credit);
    if (Session* session = session_on(route); session != nullptr) claim_started(*session, renew->started_through);
    return;
  }
  if (const auto* released = std::get_if<wire::Released>(&message.body)) {
    for (const wire::TokenOf& one : released->jobs) {
      if (Sent* sent = dispatch_of(one.id, one.token); sent != nullptr) sent->over = sent->given_back = true;
      if (Session* session = session_on(route); session != nullptr) session->open.erase(one.token);
    }
    return note_contact(route, released->credit);
  }
  if (std::holds_alternative<wire::Goodbye>(message.body)) {
    const auto bound = bound_.find(route);
    if (bound == bound_.end()) return;
    turnovers_.push_back(event_);
    sessions_.at(bound->second).gone = true;
    sessions_.at(bound->second).gone_at = event_;
    end_dispatches_of(sessions_.at(bound->second));
  }
}

void Auditor::end_dispatches_of(Session& session) {
  for (Sent* sent : session.lasting) sent->over = true;
  session.lasting.clear();
}

void Auditor::note_contact(server::Route route, std::optional<std::uint32_t> credit) {
  Session* session = session_on(route);
  if (session == nullptr) return;
  // If its lease was over, this comes too late.
  std::erase_if(session->lasting, [this](Sent* sent) {
    sent->over = sent->over || lease_may_be_over(*sent);
    return sent->over;
  });
  session->contact = timeline_.now().steady;
  if (credit) session->credits.push_back(*credit);
}

// What was given to it up to there and lasts has been started: lost, it is a loss.
void Auditor::claim_started(Session& session, std::uint64_t through) {
  for (Sent* sent : session.lasting) {
    if (sent->life == life_ && sent->token.dispatch <= through) sent->claimed = true;
  }
}

void Auditor::note_hello(server::Route route, const wire::Message& message, const wire::Hello& hello) {
  for (auto& [uuid, other] : sessions_) {
    if (uuid == hello.session || other.name != hello.name || other.gone || other.host != hello.host) continue;
    if (other.boot == hello.boot_id && (other.pid != hello.pid || other.start == hello.start_time)) continue;
    // The new process proves the old one dead.
    other.gone = true;
    other.gone_at = event_;
    end_dispatches_of(other);
  }
  turnovers_.push_back(event_);
  Session& session = sessions_[hello.session];
  // Its lease may have ended, and its drain with it.
  if (timeline_.now().steady >= session.contact + rules_.lease) {
    session.drain_acked = session.drained = false;
    session.drain_from = event_;
  }
  session.name = hello.name;
  session.host = hello.host;
  session.boot = hello.boot_id;
  session.pid = hello.pid;
  session.start = hello.start_time;
  session.newest_route = route;
  session.credits.push_back(hello.credit);
  session.queues.clear();
  session.types.clear();
  for (const wire::QueueWeight& queue : hello.queues) session.queues.emplace_back(queue.name);
  for (const std::string_view type : hello.types) session.types.emplace_back(type);
  Question question;
  question.at = event_;
  question.type = wire::MessageType::hello;
  question.session = hello.session;
  question.when = timeline_.now().steady;
  question.started = hello.started;
  question.held = hello.held;
  question.finished = hello.finished;
  session.hello_at = event_;
  std::set<Token>& listed = session.listed;
  listed.clear();
  for (const auto* tokens : {&hello.started, &hello.held, &hello.finished}) {
    for (const wire::TokenOf& one : *tokens) listed.insert(one.token);
  }
  std::erase_if(session.lasting, [&](Sent* sent) {
    // Not listed; or its lease ended before this, and what it says now comes too late.
    sent->over = sent->over || !listed.contains(sent->token) || lease_may_be_over(*sent);
    return sent->over;
  });
  ask(route, message, std::move(question));
}

void Auditor::note_complete(server::Route route, const wire::Message& message, const wire::Complete& complete) {
  note_contact(route, complete.credit);
  Session* session = session_on(route);
  if (session != nullptr) claim_started(*session, complete.started_through);
  Question question;
  question.at = event_;
  question.type = wire::MessageType::complete;
  for (const wire::CompleteItem& item : complete.items) {
    const Token token = item.job.token;
    question.ids.push_back(item.job.id);
    question.tokens.push_back(token);
    question.ends.push_back(item.end);
    Completions& seen = completions_[{token, item.job.id}];
    if (seen.times++ == 0) seen.first = event_;
    question.first_seen.push_back(seen.first);
    if (session != nullptr) session->open.erase(token);
    Sent* sent = dispatch_of(item.job.id, token);
    if (sent == nullptr) return fail("a worker completes " + name(item.job.id) + " under a token never dispatched");
    if (sent->completed_at == 0) {
      sent->completed_at = event_;
      sent->completed_when = timeline_.now().steady;
      sent->completed_life = life_;
      sent->late = sent->over;
      sent->end = item.end;
    }
  }
  ask(route, message, std::move(question));
}

void Auditor::sent_to_worker(server::Route route, const wire::Message& message) {
  const auto asked = questions_.find({route, message.request});
  if (const auto* dispatch = std::get_if<wire::Dispatch>(&message.body)) return judge_dispatch(route, *dispatch);
  if (asked == questions_.end()) return;
  if (const auto* welcome = std::get_if<wire::Welcome>(&message.body)) {
    judge_welcome(route, asked->second, *welcome);
  } else if (const auto* completed = std::get_if<wire::Completed>(&message.body)) {
    judge_completed(asked->second, *completed);
    questions_.erase(asked);
  }
}

void Auditor::judge_welcome(server::Route route, const Question& asked, const wire::Welcome& welcome) {
  // An older connection of the session counts no more.
  std::erase_if(bound_, [&](const auto& entry) { return entry.second == asked.session; });
  bound_[route] = asked.session;
  Session& session = sessions_.at(asked.session);
  session.contact = asked.when;
  session.life = life_;
  if (asked.at > session.gone_at) session.gone = false;
  // What left for an older connection after the HELLO is not listed in it either.
  std::erase_if(session.lasting, [&](Sent* sent) {
    if (sent->at > asked.at) sent->over = sent->given_back = true;
    return sent->over;
  });
  session.welcomed_at = event_;
  session.open.clear();
  const auto each = [&](const std::vector<wire::TokenOf>& tokens, const std::vector<Code>& codes, auto is_ok) {
    if (tokens.size() != codes.size()) return fail("a WELCOME answers another number of tokens than its HELLO listed");
    for (std::size_t i = 0; i < tokens.size(); ++i) {
      if (codes[i] == Code::stale) ++totals_.stale;
      if (codes[i] == Code::ok) is_ok(tokens[i]);
    }
  };
  const auto keep = [&](const wire::TokenOf& one) {
    // Its end may have come behind the HELLO.
    if (!completions_.contains({one.token, one.id})) session.open.insert(one.token);
    judge_kept(asked, one);
  };
  each(asked.started, welcome.started, keep);
  each(asked.held, welcome.held, keep);
  // One that was counted before is answered OK too and takes no room: those are not counted.
  each(asked.finished, welcome.finished, [&](const wire::TokenOf& one) { judge_finished(asked, one); });
}

// A worker may go on with what it has only if nobody else was given it and it has not ended.
void Auditor::judge_kept(const Question& asked, const wire::TokenOf& one) {
  Job* job = job_of(one.id);
  if (job == nullptr) return fail("a WELCOME lets a worker keep a job that nobody asked for");
  // Of a memory job a dispatch may leave before a WELCOME that was decided earlier.
  const std::uint64_t before = job->ask.options.durability == Durability::memory ? asked.at : event_;
  for (const Sent& other : job->sent) {
    if (one.token < other.token && other.at < before) {
      return fail("a WELCOME lets a worker keep " + name(one.id) + " " + text_of(one.token) + " although " +
                  text_of(other.token) + " had been dispatched");
    }
  }
  told_alive(*job, JobState::running, "WELCOME");
}

// OK says that a completion was counted, or would be: it is judged as one that is taken.
void Auditor::judge_finished(const Question& asked, const wire::TokenOf& one) {
  Job* job = job_of(one.id);
  if (job == nullptr) return fail("a WELCOME takes the end of a job that nobody asked for");
  const bool in_memory = job->ask.options.durability == Durability::memory;
  const auto known = completions_.find({one.token, one.id});
  const bool completed = known != completions_.end();
  const std::uint64_t latest = in_memory ? asked.at : event_;
  const std::uint64_t first_seen = completed ? known->second.first : latest;
  const std::string text = "a WELCOME takes the end of " + name(one.id) + " " + text_of(one.token) + " although ";
  for (const Sent& other : job->sent) {
    if (one.token < other.token && other.at < first_seen) {
      return fail(text + text_of(other.token) + " had been dispatched");
    }
  }
  const bool ended = job->told && job->told_at < asked.at && !job->retried && !in_memory && !may_be_gone(*job);
  if (ended && !completed) fail(text + "the job was told to have ended before");
}

void Auditor::judge_dispatch(server::Route route, const wire::Dispatch& dispatch) {
  const auto bound = bound_.find(route);
  if (bound == bound_.end()) return fail("a DISPATCH goes to a connection without a session");
  Session& session = sessions_.at(bound->second);
  for (const wire::DispatchItem& item : dispatch.items) {
    const Token token{dispatch.epoch, item.dispatch};
    const wire::DispatchShared& shared = dispatch.shared[item.shared];
    Job* job = job_of(item.id);
    ++totals_.dispatches;
    if (job == nullptr || job->received_at == 0) return fail("a job is dispatched that nobody submitted: " + name(item.id));
    const std::string text = name(item.id) + " " + text_of(token);
    judge_content(*job, shared, item, text);
    if (failed()) return;
    const auto serves = [](const std::vector<std::string>& all, std::string_view one) {
      return std::find(all.begin(), all.end(), one) != all.end();
    };
    if (!serves(session.queues, shared.queue) || !serves(session.types, shared.type)) {
      return fail(text + " is dispatched to " + session.name + ", which does not serve it");
    }
    if (!job->sent.empty() && token < job->sent.back().token) {
      return fail(text + " leaves although " + text_of(job->sent.back().token) + " has left before it");
    }
    if (session.drained) return fail(text + " goes to " + session.name + ", whose drain was acknowledged");
    if (paused_.contains(job->ask.queue)) return fail(text + " is dispatched although its queue is paused");
    if (dispatch_of(item.id, token) != nullptr) return fail(text + " is dispatched twice under one token");
    // Of a memory job the answer may leave before a dispatch that was decided earlier.
    const bool in_order = job->ask.options.durability == Durability::fsync && !job->may_be_forgotten;
    if (job->cancel_acked && !job->retried && in_order) {
      return fail(text + " is dispatched although its cancellation was acknowledged");
    }
    told_alive(*job, JobState::running, "DISPATCH");
    judge_key(*job, text);
    judge_limits(*job, shared, item, text);
    // A dispatch that a crash kept from leaving counts too.
    if (item.attempt > job->sent.size() + 1 + totals_.restarts && job->accepted_times <= 1) {
      return fail(text + " is attempt " + std::to_string(item.attempt) + ", but was dispatched " +
                  std::to_string(job->sent.size()) + " times before");
    }
    if (!job->sent.empty()) {
      ++totals_.repeats;
      judge_redispatch(*job, job->sent.back(), token);
    }
    if (failed()) return;
    job->sent.push_back({token, bound->second, event_, timeline_.now().steady, life_});
    job->sent.back().expires_in = item.expires_in;
    // A HELLO on a newer connection came before it and does not list it.
    job->sent.back().over = job->sent.back().given_back = session.newest_route != route;
    if (!job->sent.back().over) session.lasting.push_back(&job->sent.back());
    session.open.insert(token);
    judge_credit(session, text);
    if (failed()) return;
  }
}

void Auditor::judge_content(const Job& job, const wire::DispatchShared& shared, const wire::DispatchItem& item,
                            const std::string& text) {
  if (shared.queue != job.ask.queue || shared.type != job.ask.type) {
    return fail(text + " is dispatched with another queue or type than was submitted");
  }
  if (item.payload != job.ask.payload) return fail(text + " is dispatched with another payload than was submitted");
  const Result<wire::Spec> spec = wire::decode_spec(shared.spec);
  if (!spec.ok()) return fail(text + " is dispatched with what is no spec: " + spec.error().message);
  const auto is_same = [](const wire::Pair& one, const auto& asked) {
    return one.first == asked.first && one.second == asked.second;
  };
  const bool same = std::ranges::equal(spec->headers, job.ask.headers, is_same);
  if (!same || !spec->name.empty() || spec->command) {
    fail(text + " is dispatched with other headers than were submitted");
  }
}

void Auditor::judge_credit(const Session& session, const std::string& text) {
  const std::uint32_t most = *std::max_element(session.credits.begin(), session.credits.end());
  if (session.open.size() <= most) return;
  fail(text + " goes to " + session.name + ", which holds " + std::to_string(session.open.size() - 1) +
       " unfinished jobs and granted credit for " + std::to_string(most));
}

bool Auditor::lease_may_be_over(const Sent& sent) const {
  const auto at = sessions_.find(sent.session);
  if (at == sessions_.end()) return true;
  const Session& session = at->second;
  if (session.gone) return true;
  const Steady now = timeline_.now().steady;
  if (session.life != life_) return now >= started_ + rules_.reattach;
  return now >= session.contact + rules_.lease;
}

// A job that was given out is given out again only for a reason that the broker was told, or when the lease is over.
void Auditor::judge_redispatch(Job& job, const Sent& before, Token token) {
  if (before.completed_at != 0 || before.over) return;
  if (job.ask.options.durability == Durability::memory && before.life != life_) return;
  if (lease_may_be_over(before)) return;
  fail(name(job.ask.id) + " is dispatched again as " + text_of(token) + " although " + text_of(before.token) +
       " is held under a lease that lasts");
}

void Auditor::judge_completed(const Question& asked, const wire::Completed& completed) {
  if (completed.codes.size() != asked.ids.size())
    return fail("a COMPLETED answers another number of items than were asked");
  for (std::size_t i = 0; i < completed.codes.size(); ++i) {
    Job* job = job_of(asked.ids[i]);
    if (job == nullptr) continue;
    const Code code = completed.codes[i];
    if (code == Code::ok) judge_counted(*job, asked.tokens[i], asked.ends[i], asked.first_seen[i]);
    if (code == Code::stale) ++totals_.stale;
    if (code == Code::stale) ++totals_.stale_late;
    if (code == Code::gone) told_unknown(*job, asked.at, "COMPLETED GONE");
    if (failed()) return;
  }
}

// A completion was taken. It counts only if nobody else had been given the job when it first came.
void Auditor::judge_counted(Job& job, Token token, AttemptEnd end, std::uint64_t first_seen) {
  Sent* mine = dispatch_of(job.ask.id, token);
  if (mine == nullptr) return;
  const std::string text = name(job.ask.id) + " " + text_of(token);
  for (const Sent& other : job.sent) {
    if (mine->token < other.token && other.at < first_seen) {
      return fail("the completion of " + text + " was taken although " + text_of(other.token) + " had been dispatched");
    }
  }
  if (mine->counted) return;
  mine->counted = true;
  if (end != AttemptEnd::succeeded || job.retried_at > first_seen) return;
  for (const Sent& other : job.sent) {
    const bool before = &other != mine && other.counted && other.end == AttemptEnd::succeeded;
    // What was kept in memory was forgotten, and with it that it had run.
    const bool remembered = job.ask.options.durability == Durability::fsync || other.life == life_;
    if (before && remembered && !job.retried && !job.may_be_forgotten && job.accepted_times <= 1) {
      return fail(text + " succeeded, but " + text_of(other.token) + " had succeeded before");
    }
  }
  told_end(job, JobState::succeeded, "COMPLETED", {});
}

}  // namespace rota::sim

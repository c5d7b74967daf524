#include <gtest/gtest.h>

#include "common/base/units.h"
#include "tests/scenario/script.h"

namespace rota::scenario {

using namespace queue;

namespace {

std::string text_of(const Token& token) {
  if (token.is_none()) return "-";
  return std::to_string(token.epoch).append(".").append(std::to_string(token.dispatch));
}
std::string text_of(EndReason reason) {
  static const char* const kNames[] = {"completed", "losses_spent", "expired", "cancelled"};
  return kNames[static_cast<std::size_t>(reason)];
}
std::string number(std::string_view name, std::uint64_t value) {
  std::string text(" ");
  return text.append(name).append("=").append(std::to_string(value));
}
std::string in(Wall at, Wall now) { return at.ms == 0 ? "now" : std::to_string((at - now).count()) + "ms"; }

}  // namespace

std::string Script::job_name(const JobId& id) const {
  const auto at = job_names_.find(id);
  return at == job_names_.end() ? to_string(id) : at->second;
}
std::string Script::job_name(Sequence sequence) const {
  const auto at = sequences_.find(sequence);
  return at == sequences_.end() ? "?" : at->second;
}
std::string Script::worker_name(SessionRef session) const {
  const auto at = sessions_.find(session);
  return at == sessions_.end() ? "nobody" : at->second;
}
std::string Script::codes(Range range) const {
  std::string text;
  for (std::uint32_t i = 0; i < range.count; ++i) {
    text.append(i == 0 ? "" : ",").append(code_name(effects_.codes[range.first + i]));
  }
  return text.empty() ? "-" : text;
}

// Messages may name sessions that this very turn made.
void Script::take() {
  for (const Message& message : effects_.messages) {
    if (const auto* welcome = std::get_if<WorkerWelcomed>(&message.body); welcome && welcome->session != kNoSession) {
      sessions_[welcome->session] = route_names_[welcome->route];
      workers_[route_names_[welcome->route]].session = welcome->session;
    }
  }
  for (const Change& change : effects_.changes) {
    store_.take(change);
    print(change);
  }
  for (const Message& message : effects_.messages) print(message);
  for (const Message& message : effects_.messages) {
    const auto* dispatch = std::get_if<Dispatch>(&message.body);
    if (dispatch == nullptr) continue;
    const DispatchItem& last = effects_.dispatches[dispatch->items.first + dispatch->items.count - 1];
    waiting_.push_back({dispatch->session, last.token.dispatch, last.durability == Durability::memory});
  }
  if (!disk_is_slow_) let_leave();
  effects_.clear();
}

// The frames of what was dispatched go out, as a server sends them once they are on disk.
void Script::let_leave() {
  for (const Waiting& one : waiting_) core_.dispatch_left(one.session, one.through, one.in_memory);
  waiting_.clear();
}

void Script::print(const Change& change) {
  std::string text = change.durability == Durability::memory ? "  memory " : "  store ";
  if (const auto* accepted = std::get_if<JobAccepted>(&change.body)) {
    sequences_[accepted->job.sequence] = job_name(accepted->job.id);
    text += "accept " + job_name(accepted->job.id) + number("sequence", accepted->job.sequence);
    if (accepted->job.run_at != accepted->job.created_at) text += " run_at=" + in(accepted->job.run_at, now_.wall);
  } else if (const auto* changed = std::get_if<JobChanged>(&change.body)) {
    const StateRecord& state = changed->state;
    text += "state " + job_name(state.sequence) + number("attempts", state.attempts) + number("failures", state.failures) +
            number("losses", state.losses) + " run_at=" + in(state.run_at, now_.wall) +
            " consumed=" + text_of(state.consumed) + (state.cancel_requested ? " cancel_requested" : "");
  } else if (const auto* leased = std::get_if<JobLeased>(&change.body)) {
    text += "lease " + job_name(leased->lease.sequence) + "@" + text_of(leased->lease.token);
    tokens_[jobs_[job_name(leased->lease.sequence)]] = leased->lease.token;
  } else if (const auto* ended = std::get_if<LeaseEnded>(&change.body)) {
    text += "lease-ended " + job_name(ended->sequence) + "@" + text_of(ended->token);
  } else if (const auto* finished = std::get_if<JobFinished>(&change.body)) {
    const OutcomeRecord& outcome = finished->outcome;
    text += "finish " + job_name(outcome.id) + std::string(" ").append(job_state_name(outcome.state)) + " (" +
            text_of(outcome.reason) + ")" + number("attempts", outcome.attempts) + number("failures", outcome.failures) +
            number("losses", outcome.losses) + " consumed=" + text_of(outcome.consumed) +
            " lease=" + text_of(finished->lease) + " keep=" + format_duration(outcome.forget_at - outcome.finished_at);
  } else if (const auto* revived = std::get_if<JobRevived>(&change.body)) {
    sequences_[revived->state.sequence] = job_name(revived->id);
    text += "revive " + job_name(revived->id) + number("sequence", revived->state.sequence) +
            number("was", revived->old_sequence) + number("attempts", revived->state.attempts);
  } else if (const auto* forgotten = std::get_if<JobForgotten>(&change.body)) {
    text += "forget " + job_name(forgotten->id);
  } else if (const auto* paused = std::get_if<QueuePaused>(&change.body)) {
    text += std::string(paused->paused ? "pause " : "resume ") + std::string(paused->queue);
  }
  say(text);
}

void Script::print(const Message& message) {
  output_ += message.at_once ? "at once " : "";
  if (const auto* replies = std::get_if<ItemReplies>(&message.body)) return print_replies(*replies);
  if (const auto* welcome = std::get_if<WorkerWelcomed>(&message.body)) return print_welcome(*welcome);
  if (const auto* dispatch = std::get_if<Dispatch>(&message.body)) return print_dispatch(*dispatch);
  if (const auto* purge = std::get_if<PurgeReply>(&message.body)) {
    say("client: purged " + std::to_string(purge->forgotten) + (purge->more ? ", more" : ""));
  } else if (const auto* simple = std::get_if<SimpleReply>(&message.body)) {
    say(std::string("client: ").append(code_name(simple->code)) +
        (simple->reason.empty() ? "" : std::string(" ").append(simple->reason)));
  } else if (const auto* completed = std::get_if<CompleteReply>(&message.body)) {
    say(worker_name(completed->session) + ": completed " + codes(completed->codes));
  } else if (const auto* reclaim = std::get_if<ReclaimRequest>(&message.body)) {
    print_tokens("reclaim", reclaim->session, reclaim->tokens);
  } else if (const auto* cancel = std::get_if<CancelRequest>(&message.body)) {
    print_tokens("cancel", cancel->session, cancel->tokens);
  } else if (const auto* drain = std::get_if<DrainRequest>(&message.body)) {
    say(worker_name(drain->session) + ": drain");
  } else if (const auto* ended = std::get_if<SessionEnded>(&message.body)) {
    say(worker_name(ended->session) + std::string(": session ended, ").append(ended->reason));
  }
}

void Script::print_replies(const ItemReplies& replies) {
  std::string text = "client:";
  for (std::uint32_t i = 0; i < replies.items.count; ++i) {
    const ItemReply& reply = effects_.item_replies[replies.items.first + i];
    text.append(i == 0 ? " " : ", ").append(job_name(reply.id)).append(" ").append(code_name(reply.code));
    const bool about_a_job = reply.code == Code::ok || reply.code == Code::duplicate || reply.code == Code::conflict;
    if (about_a_job) text += std::string(" ").append(job_state_name(reply.state));
    if (about_a_job && reply.run_at.ms != 0) text += " in " + in(reply.run_at, now_.wall);
    if (!reply.reason.empty()) text += std::string(" (").append(reply.reason).append(")");
  }
  say(text);
}

void Script::print_welcome(const WorkerWelcomed& welcome) {
  const std::string name = route_names_[welcome.route];
  if (welcome.code != Code::ok) {
    return say(name + std::string(": refused ").append(code_name(welcome.code)) + std::string(" ").append(welcome.reason));
  }
  std::string text = name + ": welcome";
  if (welcome.started.count > 0) text += " started=" + codes(welcome.started);
  if (welcome.held.count > 0) text += " held=" + codes(welcome.held);
  if (welcome.finished.count > 0) text += " finished=" + codes(welcome.finished);
  say(text);
}

void Script::print_dispatch(const Dispatch& dispatch) {
  std::string text = worker_name(dispatch.session) + ": dispatch";
  for (std::uint32_t i = 0; i < dispatch.items.count; ++i) {
    const DispatchItem& item = effects_.dispatches[dispatch.items.first + i];
    text.append(" ").append(job_name(item.id)).append("@").append(text_of(item.token));
    if (item.attempt != 1) text += "(attempt " + std::to_string(item.attempt) + ")";
    if (item.expires_in.count() != 0) text += "(expires in " + std::to_string(item.expires_in.count()) + "ms)";
    tokens_[item.id] = item.token;
  }
  say(text);
}

void Script::print_tokens(std::string_view what, SessionRef session, Range tokens) {
  std::string text = worker_name(session) + std::string(": ").append(what);
  for (std::uint32_t i = 0; i < tokens.count; ++i) {
    const TokenOf& one = effects_.tokens[tokens.first + i];
    text.append(" ").append(job_name(one.id)).append("@").append(text_of(one.token));
  }
  say(text);
}

void Script::show(const Line& line) {
  for (const std::string& word : line.words) {
    if (word == "queues") {
      show_queues();
    } else if (word == "workers") {
      show_workers();
    } else {
      const JobId id = id_of(word, line);
      const auto view = core_.view(id, now_);
      if (!view) {
        say(word + ": not in the core" + (store_.find({id}).empty() ? "" : ", finished in the store"));
        continue;
      }
      say(word + std::string(": ").append(job_state_name(view->state)) + number("attempts", view->attempts) +
          number("failures", view->failures) + number("losses", view->losses) +
          (view->worker.empty() ? "" : std::string(" on ").append(view->worker)) +
          (view->run_at.ms == 0 ? "" : " in " + in(view->run_at, now_.wall)) + (view->served ? "" : " unserved") +
          (view->cancel_requested ? " cancel_requested" : ""));
    }
  }
}

void Script::show_queues() {
  core_.each_queue(now_, [&](const QueueView& queue) {
    std::string text = std::string("queue ").append(queue.queue) + (queue.paused ? " paused" : "");
    for (std::uint8_t i = 0; i < kJobStateCount; ++i) {
      if (queue.by_state[i] == 0) continue;
      text += number(job_state_name(static_cast<JobState>(i)), queue.by_state[i]);
    }
    if (queue.oldest_ready) text += " oldest=" + std::to_string(queue.oldest_ready->count()) + "ms";
    say(text);
  });
}

void Script::show_workers() {
  core_.each_worker(now_, [&](const WorkerView& worker) {
    say("worker " + (worker.name.empty() ? "(not back yet)" : std::string(worker.name)) + number("slots", worker.slots) +
        number("credit", worker.credit) + number("running", worker.running) + number("held", worker.held) +
        (worker.draining ? " draining" : "") + " lease=" + std::to_string(worker.lease_left.count()) + "ms");
  });
}

}  // namespace rota::scenario

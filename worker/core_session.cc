// The session: connections, HELLO and WELCOME, lease, drain and end.
#include <algorithm>
#include <utility>

#include "common/base/check.h"
#include "worker/core.h"
#include "worker/core_entry.h"

namespace rota::worker {

void Core::begin(Steady now, Actions& out) {
  ROTA_CHECK(phase_ == Phase::waiting && connection_ == 0);
  begun_at_ = now;
  phase_ = Phase::opening;
  out.reconnect = true;
}

wire::Message Core::hello() {
  ROTA_CHECK(phase_ == Phase::opening);
  wire::Hello hello;
  hello.software = identity_.software;
  hello.host = identity_.host;
  hello.pid = identity_.pid;
  hello.session = identity_.session;
  hello.connection = connection_ + 1;
  hello.name = identity_.name;
  hello.boot_id = identity_.boot_id;
  hello.start_time = identity_.start_time;
  hello.slots = slots_->total;
  hello.credit = credit_told_ = credit();
  hello.draining = draining_ || killed_;
  for (const auto& [queue, weight] : identity_.queues) hello.queues.push_back({queue, weight});
  for (const ServedType& type : identity_.types) hello.types.push_back(type.name);
  for (const auto& [key, value] : identity_.labels) hello.labels.emplace_back(key, value);
  hello_started_.clear();
  hello_held_.clear();
  hello_held_tokens_.clear();
  hello_finished_.clear();
  for (const std::uint32_t index : started_) {
    if (entries_[index].disowned) continue;
    hello.started.push_back(entries_[index].job);
    hello_started_.push_back(handle_of(index));
  }
  for (const std::uint32_t index : held_) {
    hello.held.push_back(entries_[index].job);
    hello_held_.push_back(handle_of(index));
    hello_held_tokens_.push_back(entries_[index].job);
  }
  for (const std::uint32_t index : gathered_) {
    hello.finished.push_back(entries_[index].job);
    hello_finished_.push_back(handle_of(index));
  }
  hello_request_ = next_request_++;
  return {hello_request_, std::move(hello)};
}

void Core::hello_sent(Steady now) {
  ++connection_;
  phase_ = Phase::greeting;
  hello_at_ = now;
}

void Core::open_failed(Steady now, Actions& out) {
  out.reconnect = false;
  if (phase_ == Phase::opening) reconnect(now, out, "no new connection could be made", false);
}

void Core::received(const wire::Message& message, Steady now, Actions& out) {
  if (phase_ == Phase::ended) return;
  heard_at_ = now;
  if (const auto* welcome = std::get_if<wire::Welcome>(&message.body)) {
    if (phase_ == Phase::greeting && message.request == hello_request_) welcomed(*welcome, now, out);
  } else if (const auto* completed = std::get_if<wire::Completed>(&message.body)) {
    acknowledged(message.request, completed->codes);
  } else if (const auto* renewed = std::get_if<wire::Renewed>(&message.body)) {
    while (!renewals_.empty() && renewals_.front().request <= message.request) {
      if (renewals_.front().request == message.request) {
        lease_from_ = renewals_.front().sent;
        if (renewed->lease >= limits::kMinLease) lease_ = renewed->lease;
        backoff_ = Millis{0};
        if (message.request == drain_request_) drain_confirmed_ = true;
      }
      renewals_.pop_front();
    }
  } else if (const auto* reclaim_message = std::get_if<wire::Reclaim>(&message.body)) {
    reclaim(*reclaim_message, out);
  } else if (const auto* cancelled = std::get_if<wire::CancelJobs>(&message.body)) {
    cancel(*cancelled, now, out);
  } else if (std::holds_alternative<wire::Drain>(message.body)) {
    drain(now);
    out.notices.push_back({Notice::Kind::trouble, "draining: the broker asked for it"});
  } else if (const auto* error = std::get_if<wire::ErrorReply>(&message.body)) {
    refused(*error, message.request, now, out);
  } else if (const auto* goodbye = std::get_if<wire::Goodbye>(&message.body)) {
    if (phase_ == Phase::greeting || phase_ == Phase::attached) {
      reconnect(now, out, "the broker said goodbye: " + std::string{goodbye->reason}, false);
    }
  } else if (std::holds_alternative<wire::Ping>(message.body)) {
    out.send.push_back({message.request, wire::Pong{}});
  }
}

void Core::refused(const wire::ErrorReply& error, wire::Request request, Steady now, Actions& out) {
  const auto group = std::find_if(in_flight_.begin(), in_flight_.end(),
                                  [&](const InFlight& one) { return one.request == request && request != 0; });
  if (error.code == Code::no_session) {
    if (phase_ != Phase::opening) reconnect(now, out, "the broker ended the session", true);
  } else if (phase_ == Phase::greeting && request == hello_request_) {
    if (is_retryable(error.code) || error.code == Code::shutting_down || error.code == Code::internal) {
      reconnect(now, out, "the broker refuses for now: " + std::string{error.message}, false);
      reconnect_at_ = std::max(reconnect_at_, now + error.retry_after);
    } else {
      end({Ending::Kind::refused, error.code, std::string{error.message}});
    }
  } else if (group != in_flight_.end()) {
    InFlight taken = std::move(*group);
    in_flight_.erase(group);
    out.notices.push_back({Notice::Kind::trouble, "the broker refused a report: " + std::string{error.message}});
    completion_refused(std::move(taken), error, now);
  } else {
    out.notices.push_back({Notice::Kind::trouble, "the broker complains: " + std::string{error.message}});
  }
}

void Core::send_failed(Steady now, Actions& out) {
  if (phase_ == Phase::attached || phase_ == Phase::greeting) reconnect(now, out, "the connection broke", true);
}

void Core::reconnect(Steady now, Actions& out, std::string why, bool at_once) {
  take_back_in_flight();
  renewals_.clear();
  drain_request_ = 0;
  drain_confirmed_ = false;
  if (was_attached_ && !lost_contact_) {
    lost_contact_ = true;
    out.notices.push_back({Notice::Kind::lost_contact, std::move(why)});
  }
  phase_ = Phase::waiting;
  if (at_once && backoff_.count() == 0) {
    reconnect_at_ = now;
    backoff_ = limits::kReconnectFirst;
    return;
  }
  backoff_ = std::clamp(backoff_ * 2, limits::kReconnectFirst, limits::kReconnectMost);
  const auto most = static_cast<std::uint64_t>(backoff_.count());
  reconnect_at_ = now + Millis{static_cast<std::int64_t>(most / 2 + prng_.below(most / 2 + 1))};
}

void Core::welcomed(const wire::Welcome& welcome, Steady now, Actions& out) {
  if (welcome.started.size() != hello_started_.size() || welcome.held.size() != hello_held_.size() ||
      welcome.finished.size() != hello_finished_.size()) {
    reconnect(now, out, "the broker's WELCOME does not answer every token of the HELLO", false);
    return;
  }
  phase_ = Phase::attached;
  lease_ = std::max(welcome.lease, limits::kMinLease);
  lease_from_ = hello_at_;
  renew_at_ = hello_at_ + lease_ / 3;
  gave_up_ = false;
  last_start_ = now;
  if (welcome.max_payload > 0) max_result_ = welcome.max_payload;
  if (welcome.max_message > 0) max_message_ = welcome.max_message;
  clients_endpoint_ = welcome.clients_endpoint;

  obey_held(welcome.held, out);
  obey_started(welcome.started, now, out);
  obey_finished(welcome.finished);
  if (!gathered_.empty()) gathered_at_ = now;

  out.notices.push_back({was_attached_ ? Notice::Kind::back : Notice::Kind::registered, {}});
  was_attached_ = true;
  lost_contact_ = false;
}

void Core::obey_held(const std::vector<Code>& verdicts, Actions& out) {
  std::vector<std::uint32_t> leaving;
  wire::Released released;
  for (std::size_t at = 0; at < verdicts.size(); ++at) {
    Entry* entry = find(hello_held_[at]);
    if (verdicts[at] == Code::ok) {
      // Given up while the HELLO was under way: the broker takes it for held here, and nobody would ever run it.
      if (entry == nullptr) released.jobs.push_back(hello_held_tokens_[at]);
      continue;
    }
    if (entry == nullptr || entry->state != State::held) continue;
    entry->state = State::free;
    leaving.push_back(hello_held_[at].index);
  }
  leave_line(leaving.size());
  for (const std::uint32_t index : leaving) forget(index);
  release(std::move(released), out);
}

// A run that does not count any more is stopped: going on would only do the same work twice.
void Core::obey_started(const std::vector<Code>& verdicts, Steady now, Actions& out) {
  std::vector<std::uint32_t> ended_meanwhile;
  for (std::size_t at = 0; at < verdicts.size(); ++at) {
    Entry* entry = find(hello_started_[at]);
    if (entry == nullptr || verdicts[at] == Code::ok) continue;
    if (entry->state == State::started) {
      entry->disowned = true;
      stop_running(hello_started_[at].index, StopReason::superseded, now, out);
    } else if (entry->state == State::gathered) {
      ended_meanwhile.push_back(hello_started_[at].index);
    }
  }
  drop_gathered(ended_meanwhile);
}

// OK may mean that the token is still open or that the completion was taken before: sending it again is right for both.
void Core::obey_finished(const std::vector<Code>& verdicts) {
  std::vector<std::uint32_t> settled;
  for (std::size_t at = 0; at < verdicts.size(); ++at) {
    const Entry* entry = find(hello_finished_[at]);
    if (entry != nullptr && entry->state == State::gathered && verdicts[at] != Code::ok) {
      settled.push_back(hello_finished_[at].index);
    }
  }
  drop_gathered(settled);
}

void Core::watch_connection(Steady now, Actions& out) {
  if (!was_attached_ && !told_waiting_ && now >= begun_at_ + Millis{1000}) {
    told_waiting_ = true;
    out.notices.push_back({Notice::Kind::waiting, {}});
  }
  if (was_attached_ && !gave_up_ && now >= lease_from_ + lease_ * 8 / 10) {
    // Soon somebody else may be given these jobs. The HELLO that follows tells the broker what was given up.
    gave_up_ = true;
    give_back_held(out, false);
    for (const std::uint32_t index : started_) {
      const Entry& entry = entries_[index];
      const wire::Dispatch& dispatch = entry.batch->dispatch;
      if (dispatch.shared[dispatch.items[entry.item].shared].stop_on_disconnect) {
        stop_running(index, StopReason::lost_contact, now, out);
      }
    }
    if (phase_ == Phase::attached) reconnect(now, out, "no renewal was answered for most of the lease", true);
  }
  if (phase_ == Phase::greeting && now >= hello_at_ + limits::kHelloPatience) {
    reconnect(now, out, "no answer to the HELLO", true);
  }
  if (phase_ == Phase::attached && now >= heard_at_ + lease_ * 2 / 3) reconnect(now, out, "the broker is silent", true);
  if (phase_ == Phase::attached && !in_flight_.empty() && now >= in_flight_.front().sent + lease_) {
    reconnect(now, out, "a report was not acknowledged", true);
  }
  if (phase_ == Phase::waiting && now >= reconnect_at_) {
    phase_ = Phase::opening;
    out.reconnect = true;
  }
}

void Core::renew(Steady now, Actions& out) {
  if (phase_ != Phase::attached) return;
  const bool credit_fell = credit() < credit_told_ && slots_->usable() >= credit();
  if (now < renew_at_ && !credit_fell) return;
  wire::Renew renewal;
  renewal.started_through = started_through_;
  renewal.credit = credit_told_ = credit();
  progress_told_ = std::exchange(progress_, {});
  for (const Progress& one : progress_told_) {
    const Entry* entry = find(one.job);
    if (entry == nullptr || entry->state != State::started || entry->disowned) continue;
    renewal.progress.push_back({entry->job, one.fraction, one.message});
    if (renewal.progress.size() == limits::kMaxBatch) break;
  }
  const wire::Request request = next_request_++;
  if ((draining_ || killed_) && drain_request_ == 0) drain_request_ = request;
  renewals_.push_back({request, now});
  renewed_at_ = now;
  renew_at_ = now + lease_ / 3;
  out.send.push_back({request, std::move(renewal)});
}

void Core::drain(Steady now) {
  if (draining_) return;
  draining_ = true;
  renew_at_ = std::min(renew_at_, now);
}

void Core::kill(Steady now, Actions& out) {
  if (killed_ || phase_ == Phase::ended) return;
  killed_ = true;
  kill_until_ = now + limits::kKillPatience;
  renew_at_ = now;
  if (!ending_wanted_) ending_wanted_ = Ending{Ending::Kind::killed, Code::ok, "the running jobs were killed"};
  for (const std::uint32_t index : std::vector<std::uint32_t>{started_}) {
    if (!identity_.types[entries_[index].type].killable) {  // its handler goes on until it returns
      stuck_.emplace_back(handle_of(index), entries_[index].batch);
      ++slots_->written_off;
    }
    lose(index, now, out, "the worker was told to stop at once");
  }
}

void Core::executor_lost(std::string reason, Steady now, Actions& out) {
  if (!ending_wanted_) ending_wanted_ = Ending{Ending::Kind::broken, Code::internal, reason};
  draining_ = true;
  renew_at_ = std::min(renew_at_, now);
  for (const std::uint32_t index : std::vector<std::uint32_t>{started_}) {
    if (identity_.types[entries_[index].type].killable) lose(index, now, out, reason);
  }
}

void Core::lose(std::uint32_t index, Steady now, Actions& out, const std::string& reason) {
  begun(handle_of(index));
  out.stop.push_back({handle_of(index), StopReason::killed, true});
  leave_started(index);
  if (entries_[index].disowned) {
    forget(index);
    return;
  }
  Outcome outcome = Outcome::failure("LOST", reason);
  outcome.end = AttemptEnd::lost;
  gather(index, std::move(outcome), now);
}

void Core::leave(Steady now, Actions& out) {
  if ((!draining_ && !killed_) || phase_ == Phase::ended) return;
  if (held_count_ > 0) give_back_held(out, phase_ == Phase::attached);
  const bool owes_nothing = started_.empty() && unacknowledged() == 0;
  const bool broker_knows = phase_ != Phase::attached || drain_confirmed_;
  const bool out_of_time = killed_ && (now >= kill_until_ || phase_ != Phase::attached);
  if (!(owes_nothing && broker_knows) && !out_of_time) return;
  if (phase_ == Phase::attached) out.send.push_back({0, wire::Goodbye{Code::ok, killed_ ? "killed" : "drained"}});
  end(ending_wanted_.value_or(Ending{}));
}

void Core::end(Ending ending) {
  phase_ = Phase::ended;
  ending_ = std::move(ending);
}

}  // namespace rota::worker

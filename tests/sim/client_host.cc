#include "tests/sim/client_host.h"

#include <algorithm>
#include <utility>

#include "common/base/code.h"
#include "tests/sim/client_process.h"

namespace rota::sim {

ClientHost::ClientHost(const Parts& parts, std::string name, Dice dice)
    : parts_(parts), name_(std::move(name)), dice_(dice) {}
ClientHost::~ClientHost() = default;

void ClientHost::start() {
  if (process_) return;
  process_ = std::make_unique<Process>(dice_.prng());
  stalled_until_ = parts_.timeline.now().steady;
  process_->number = ++processes_;
  wake(Millis{0});
}

void ClientHost::crash(Millis down_for) {
  if (!process_) return;
  parts_.trace.note("* " + name_ + " is killed");
  if (process_->socket) parts_.network.close(*process_->socket);
  process_.reset();
  parts_.timeline.after(down_for, [this] { start(); });
}

void ClientHost::stall(Millis how_long) {
  if (!process_) return;
  parts_.trace.note("* " + name_ + " stalls for " + std::to_string(how_long.count()) + " ms");
  stalled_until_ = parts_.timeline.now().steady + how_long;
}

void ClientHost::calm() {
  stalled_until_ = std::min(stalled_until_, parts_.timeline.now().steady);
  if (process_) wake(Millis{0});
}

void ClientHost::leave(Millis down_for) {
  if (!process_) return;
  parts_.trace.note("* " + name_ + " leaves");
  std::string frame;
  wire::encode({0, wire::Goodbye{}}, frame);
  transmit(frame);
  if (process_->socket) parts_.network.close(*process_->socket);
  process_.reset();
  parts_.timeline.after(down_for, [this] { start(); });
}

bool ClientHost::is_idle() const {
  return process_ && process_->open.empty() && process_->watched.empty() &&
         process_->table.phase() == client::RequestTable::Phase::ready;
}

std::string ClientHost::what_is_open() {
  std::string text = name_ + ":";
  if (!process_) return text + " no process";
  for (const auto& [request, open] : process_->open) text += " request " + std::to_string(request);
  std::size_t named = 0;
  for (const JobId& id : process_->watched) {
    if (++named <= 3) text += " waits for " + parts_.trace.name_of(id);
  }
  if (named > 3) text += " and " + std::to_string(named - 3) + " more";
  return text;
}

// --- turns --------------------------------------------------------------------------------------------------------------

void ClientHost::wake(Millis in) {
  const Steady when = std::max(parts_.timeline.now().steady + in, stalled_until_);
  if (when >= process_->next_turn) return;
  process_->next_turn = when;
  parts_.timeline.at(when, [this, number = process_->number, when] {
    if (process_ && process_->number == number && process_->next_turn == when) turn();
  });
}

// As the client's connection does it.
void ClientHost::turn() {
  Process& process = *process_;
  process.next_turn = kNeverSteady;
  const Steady now = parts_.timeline.now().steady;
  if (stalled_until_ > now) return wake(Millis{0});
  do_what_is_due(now);
  for (const std::string& frame : std::exchange(process.inbox, {})) receive(frame, now);
  if (!process.wait_later.empty() && process.table.may_send()) wait_for(std::exchange(process.wait_later, {}));
  process.table.expect_notices(!process.watched.empty(), now);
  do_what_is_due(now);
  const Steady next = process.table.next_event();
  if (next != kNeverSteady) wake(std::max(next - now, Millis{1}));
}

void ClientHost::do_what_is_due(Steady now) {
  Process& process = *process_;
  process.table.tick(now, process.due);
  if (process.due.new_socket) {
    open_socket(now);
    say_hello(now);
  } else if (process.due.hello) {
    say_hello(now);
  }
  for (const wire::Request request : process.due.send) {
    const auto open = process.open.find(request);
    if (open == process.open.end()) continue;
    transmit(open->second.frame);
    process.table.sent(request, now);
  }
  if (process.due.resumed) send_waits();
  if (process.due.ping) {
    std::string frame;
    wire::encode({process.table.number(), wire::Ping{}}, frame);
    transmit(frame);
    process.table.ping_sent(now);
  }
}

void ClientHost::open_socket(Steady now) {
  Process& process = *process_;
  if (process.socket) parts_.network.close(*process.socket);
  process.inbox.clear();
  process.socket = parts_.network.open(server::Side::client, name_, [this, number = process.number](std::string frame) {
    if (!process_ || process_->number != number) return;
    process_->inbox.push_back(std::move(frame));
    wake(Millis{0});
  });
  process.table.socket_opened(now);
}

void ClientHost::say_hello(Steady now) {
  Process& process = *process_;
  wire::Hello hello;
  hello.software = "rota sim";
  process.hello = process.table.number();
  std::string frame;
  wire::encode({process.hello, hello}, frame);
  if (parts_.network.send(*process.socket, frame)) {
    process.table.hello_sent(now);
  } else {
    process.table.hello_refused(now);
  }
}

// What the socket does not take is repeated when the table says so.
void ClientHost::transmit(const std::string& frame) {
  if (process_->socket) (void)parts_.network.send(*process_->socket, frame);
}

void ClientHost::send_waits() {
  Process& process = *process_;
  process.waits.clear();
  process.wait_later.clear();
  std::set<JobId> announced;
  for (const auto& [request, open] : process.open) {
    if (open.is_submit && open.notify) announced.insert(open.ids.begin(), open.ids.end());
  }
  std::vector<JobId> ids;
  for (const JobId& id : process.watched) {
    if (!announced.contains(id)) ids.push_back(id);
  }
  wait_for(ids);
}

void ClientHost::wait_for(const std::vector<JobId>& ids) {
  if (ids.empty()) return;
  Process& process = *process_;
  wire::Wait wait;
  wait.with_result = true;
  wait.ids = ids;
  const wire::Request request = process.table.number();
  process.waits.insert(request);
  std::string frame;
  wire::encode({request, wait}, frame);
  transmit(frame);
}

// --- answers ------------------------------------------------------------------------------------------------------------

void ClientHost::receive(const std::string& frame, Steady now) {
  Result<wire::Message> message = process_->decoder.decode(frame);
  if (!message.ok()) return parts_.auditor.fail(name_ + " was sent an unreadable frame: " + message.error().message);
  process_->table.heard(now);
  handle(*message, now);
}

void ClientHost::handle(const wire::Message& message, Steady now) {
  Process& process = *process_;
  if (const auto* welcome = std::get_if<wire::Welcome>(&message.body)) {
    if (message.request != process.hello) return;
    process.broker_clock = Now{now, welcome->wall};
    process.table.welcomed(now);
  } else if (std::holds_alternative<wire::Goodbye>(message.body)) {
    process.table.contact_lost(now);
  } else if (const auto* error = std::get_if<wire::ErrorReply>(&message.body)) {
    on_error(*error, message.request, now);
  } else if (const auto* submitted = std::get_if<wire::Submitted>(&message.body)) {
    on_submitted(message.request, *submitted);
  } else if (const auto* notify = std::get_if<wire::Notify>(&message.body)) {
    on_notify(*notify);
  } else if (const auto* jobs = std::get_if<wire::Jobs>(&message.body)) {
    on_jobs(*jobs);
    process.table.close(message.request);
    process.open.erase(message.request);
  } else if (const auto* listed = std::get_if<wire::Listed>(&message.body)) {
    on_listed(message.request, *listed);
  } else if (const auto* reply = std::get_if<wire::AdminReply>(&message.body)) {
    on_admin(message.request, *reply);
  } else {
    process.table.close(message.request);
    process.open.erase(message.request);
  }
}

void ClientHost::on_error(const wire::ErrorReply& error, wire::Request request, Steady now) {
  Process& process = *process_;
  if (error.code == Code::no_session) {
    if (process.table.phase() == client::RequestTable::Phase::ready) process.table.contact_lost(now);
    return;
  }
  if (error.code == Code::shutting_down) return process.table.contact_lost(now, limits::kRetryLaterHint);
  if (process.waits.erase(request) > 0) {
    // Which of them it was about is not worth keeping: all are asked for again.
    for (const JobId& id : process.watched) process.wait_later.push_back(id);
    return;
  }
  const auto open = process.open.find(request);
  if (open == process.open.end()) return;
  if (is_retryable(error.code)) {
    process.table.defer(request, now + process.table.refusal_pause(error.retry_after, open->second.refusals++));
    return;
  }
  for (const JobId& id : open->second.ids) process.watched.erase(id);
  process.table.close(request);
  process.open.erase(open);
}

void ClientHost::on_submitted(wire::Request request, const wire::Submitted& answer) {
  Process& process = *process_;
  const auto at = process.open.find(request);
  if (at == process.open.end()) return;
  const Open open = std::move(at->second);
  process.table.close(request);
  process.open.erase(at);
  for (std::size_t i = 0; i < answer.items.size() && i < open.ids.size(); ++i) {
    const wire::ItemResult& item = answer.items[i];
    const bool taken = item.code == Code::ok || item.code == Code::duplicate;
    if (!taken) {
      process.watched.erase(open.ids[i]);
      continue;
    }
    if (!item.plain && item.id != open.ids[i]) {
      // Another job holds the key; that one's end will be told, or has been.
      process.watched.erase(open.ids[i]);
      continue;
    }
    if (Catalogue::Known* known = parts_.catalogue.find(open.ids[i]); known != nullptr) known->acked = true;
  }
}

void ClientHost::on_notify(const wire::Notify& notify) {
  for (const wire::NotifyItem& item : notify.items) {
    process_->watched.erase(item.id);
    if (Catalogue::Known* known = parts_.catalogue.find(item.id); known != nullptr && item.code == Code::ok) {
      known->attempts = item.attempts;
    }
  }
}

void ClientHost::on_jobs(const wire::Jobs& jobs) {
  for (const wire::JobInfo& job : jobs.jobs) {
    if (Catalogue::Known* known = parts_.catalogue.find(job.id); known != nullptr && is_final(job.state)) {
      known->attempts = job.attempts;
    }
  }
}

}  // namespace rota::sim

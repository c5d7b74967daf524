// What a client wants, by chance.
#include <algorithm>
#include <utility>

#include "common/base/job_id.h"
#include "tests/sim/client_host.h"
#include "tests/sim/client_process.h"

namespace rota::sim {
namespace {

constexpr std::uint64_t kMostOpen = 600;  // jobs without an end, of all clients

// Some jobs of a submit have the same, so that a few parts are shared by several. Nothing is drawn for it.
std::vector<std::pair<std::string, std::string>> headers_of(const JobId& id, const JobId& first) {
  static constexpr unsigned kKinds = 3;
  const unsigned kind = id.bytes.back() % kKinds;
  if (kind == 0) return {};
  return {{"submit", to_string(first)}, {"kind", std::to_string(kind)}};
}

}  // namespace

void ClientHost::act() {
  if (!process_ || !process_->broker_clock || stalled_until_ > parts_.timeline.now().steady) return;
  const Weather& weather = parts_.weather;
  double roll = static_cast<double>(dice_.between(0, 9999)) / 10'000;
  const auto falls_in = [&roll](double share) {
    const bool in = roll < share;
    roll -= share;
    return in && roll >= -share;
  };
  if (falls_in(weather.cancels)) {
    if (const auto known = any_known()) {
      wire::Message message{0, wire::Cancel{{parts_.catalogue.jobs[*known].ask.id}}};
      (void)post(message, {parts_.catalogue.jobs[*known].ask.id}, false, false);
    }
  } else if (falls_in(weather.retries)) {
    retry();
  } else if (falls_in(weather.resubmits)) {
    submit_again(false);
  } else if (falls_in(weather.conflicts)) {
    submit_again(true);
  } else if (falls_in(weather.pauses)) {
    admin(dice_.chance(0.4) ? "pause" : "resume", kQueues[dice_.below(weather.queues)]);
  } else if (falls_in(weather.purges)) {
    bulk("purge", std::string(kQueues[dice_.below(weather.queues)]), {}, {});
  } else if (falls_in(weather.bulk_retries)) {
    bulk("retry", std::string(kQueues[dice_.below(weather.queues)]), {}, {});
  } else if (falls_in(weather.lists)) {
    list_something();
  } else if (falls_in(weather.drains)) {
    drain_any();
  } else if (falls_in(0.08)) {
    if (const auto known = any_known()) get({parts_.catalogue.jobs[*known].ask.id});
  } else if (falls_in(0.08)) {
    if (const auto known = any_known()) {
      process_->watched.insert(parts_.catalogue.jobs[*known].ask.id);
      if (process_->table.may_send()) wait_for({parts_.catalogue.jobs[*known].ask.id});
    }
  } else {
    submit_new();
  }
  wake(Millis{0});
}

// Recent ones are more interesting than old ones.
std::optional<std::size_t> ClientHost::any_known() {
  const std::size_t count = parts_.catalogue.jobs.size();
  if (count == 0) return std::nullopt;
  if (dice_.chance(0.5)) return dice_.below(count);
  return count - 1 - std::min(dice_.below(20), count - 1);
}

wire::JobOptions ClientHost::draw_options(std::string& key_prefix) {
  const Weather& weather = parts_.weather;
  wire::JobOptions options;
  options.priority = static_cast<std::int8_t>(dice_.chance(0.3) ? dice_.between(-2, 2) : 0);
  options.retries = static_cast<std::uint32_t>(dice_.chance(0.5) ? dice_.between(0, 3) : 0);
  options.backoff = dice_.millis(0, 3000);
  options.backoff_max = Millis{10'000};
  options.losses = static_cast<std::uint32_t>(dice_.chance(0.2) ? dice_.between(0, 2) : 5);
  if (dice_.chance(weather.delays)) options.delay = dice_.skewed(10, 20'000);
  if (dice_.chance(weather.delays / 3)) {
    options.run_at = parts_.timeline.true_wall() + dice_.skewed(10, 20'000);
    options.delay = Millis{0};
  }
  if (dice_.chance(weather.expiries))
    options.expires = dice_.chance(0.4) ? dice_.millis(10, 300) : dice_.millis(100, 30'000);
  if (dice_.chance(weather.memory)) options.durability = Durability::memory;
  if (dice_.chance(weather.limits)) options.time_limit = dice_.millis(50, 5000);
  if (dice_.chance(weather.short_keeps)) options.keep = dice_.chance(0.5) ? Millis{0} : dice_.millis(1, 30'000);
  options.stop_on_disconnect = dice_.chance(0.15);
  if (dice_.chance(weather.keys)) {
    key_prefix = "k";
    if (dice_.chance(0.3)) options.key_for = dice_.millis(100, 10'000);
  }
  return options;
}

void ClientHost::submit_new() {
  // More would only take longer.
  const Auditor::Totals& so_far = parts_.auditor.totals();
  if (so_far.asked > so_far.succeeded + so_far.other_ends + kMostOpen) return;
  std::string key_prefix;
  Ask ask;
  ask.options = draw_options(key_prefix);
  ask.queue = kQueues[dice_.below(parts_.weather.queues)];
  ask.type = kTypes[dice_.chance(0.8) ? 0 : 1];
  const Steady now = parts_.timeline.now().steady;
  const Now& clock = *process_->broker_clock;
  const Wall broker_now = clock.wall + (now - clock.steady);
  Prng random = dice_.prng();
  std::vector<Ask> asks;
  for (std::int64_t count = 1 + dice_.skewed(0, 20).count(); count > 0; --count) {
    const Millis ahead = dice_.chance(parts_.weather.ids_ahead) ? dice_.millis(0, 55'000) : -dice_.skewed(0, 500);
    ask.id = make_job_id(broker_now + ahead, slot_of_queue(ask.queue), random);
    ask.payload = name_ + "/" + std::to_string(++payloads_);
    if (parts_.weather.memory_limit > 0 && ask.options.durability == Durability::memory) {
      ask.payload.resize(static_cast<std::size_t>(dice_.between(200, 4000)), '.');
    }
    // Headers take room in memory, and would decide how many jobs fit in.
    const bool counts_bytes = parts_.weather.memory_limit > 0 && ask.options.durability == Durability::memory;
    if (!counts_bytes) ask.headers = headers_of(ask.id, asks.empty() ? ask.id : asks.front().id);
    ask.key = key_prefix.empty() ? "" : key_prefix + std::to_string(dice_.below(4));
    asks.push_back(ask);
    parts_.auditor.asked(ask);
    parts_.catalogue.places[ask.id] = parts_.catalogue.jobs.size();
    parts_.catalogue.jobs.push_back({ask, false, std::nullopt});
  }
  submit(asks, dice_.chance(0.5));
}

// The same id once more, from anybody, whenever.
void ClientHost::submit_again(bool other_content) {
  const auto known = any_known();
  if (!known) return;
  const Catalogue::Known& job = parts_.catalogue.jobs[*known];
  if (other_content &&
      (!job.acked || job.ask.options.durability == Durability::memory || job.ask.options.keep.count() >= 0)) {
    return;  // it might be the first to arrive
  }
  Ask ask = job.ask;
  if (other_content) ask.payload += " forged";
  submit({ask}, !other_content && dice_.chance(0.3));
}

void ClientHost::submit(const std::vector<Ask>& asks, bool notify) {
  wire::Submit submit;
  submit.notify = notify;
  std::vector<const Ask*> heads;  // the first of each shared part
  std::vector<JobId> ids;
  for (const Ask& ask : asks) {
    const auto alike = [&](const Ask* head) { return head->headers == ask.headers; };
    const auto head = std::find_if(heads.begin(), heads.end(), alike);
    wire::SubmitItem& item = submit.items.emplace_back();
    item.shared = static_cast<std::uint32_t>(head - heads.begin());
    if (head == heads.end()) {
      heads.push_back(&ask);
      wire::SubmitShared& shared = submit.shared.emplace_back();
      shared.queue = ask.queue;
      shared.type = ask.type;
      shared.options = ask.options;
      shared.spec.headers.assign(ask.headers.begin(), ask.headers.end());
    }
    item.id = ask.id;
    item.payload = ask.payload;
    item.key = ask.key;
    ids.push_back(ask.id);
    if (notify) process_->watched.insert(ask.id);
  }
  wire::Message message{0, std::move(submit)};
  (void)post(message, std::move(ids), true, notify);
}

wire::Request ClientHost::post(wire::Message& message, std::vector<JobId> ids, bool is_submit, bool notify) {
  Process& process = *process_;
  const wire::Request request = process.table.open(parts_.timeline.now().steady, kNeverSteady);
  message.request = request;
  Open& open = process.open[request];
  wire::encode(message, open.frame);
  open.is_submit = is_submit;
  open.notify = notify;
  open.ids = std::move(ids);
  wake(Millis{0});
  return request;
}

void ClientHost::retry() {
  const auto known = any_known();
  if (!known) return;
  const Catalogue::Known& job = parts_.catalogue.jobs[*known];
  // Without it a repeated RETRY would be another one; seldom, somebody wants just that.
  if (!job.attempts && !dice_.chance(0.1)) return get({job.ask.id});
  wire::Message message{0, wire::Retry{{{job.ask.id, job.attempts}}}};
  (void)post(message, {job.ask.id}, false, false);
}

void ClientHost::get(const std::vector<JobId>& ids) {
  if (!process_ || ids.empty()) return;
  wire::Message message{0, wire::Get{true, ids}};
  (void)post(message, ids, false, false);
}

void ClientHost::admin(std::string_view verb, std::string_view queue) {
  wire::Admin admin;
  admin.verb = verb;
  admin.arguments.emplace_back("queue", queue);
  wire::Message message{0, std::move(admin)};
  (void)post(message, {}, false, false);
}

void ClientHost::resume_all() {
  if (!process_) return;
  for (std::size_t i = 0; i < parts_.weather.queues; ++i) admin("resume", kQueues[i]);
}

// --- whole queues -------------------------------------------------------------------------------------------------------

void ClientHost::bulk(const std::string& verb, const std::string& queue, std::string_view through,
                      std::string_view cursor) {
  wire::Admin admin;
  admin.verb = verb;
  admin.arguments.emplace_back("queue", queue);
  if (!cursor.empty()) {
    admin.arguments.emplace_back("through", through);
    admin.arguments.emplace_back("cursor", cursor);
  }
  wire::Message message{0, std::move(admin)};
  Open& open = process_->open[post(message, {}, false, false)];
  open.verb = verb;
  open.queue = queue;
}

void ClientHost::on_admin(wire::Request request, const wire::AdminReply& reply) {
  Process& process = *process_;
  process.table.close(request);
  const auto at = process.open.find(request);
  if (at == process.open.end()) return;
  const Open open = std::move(at->second);
  process.open.erase(at);
  if (open.verb.empty() || reply.code != Code::ok) return;
  std::string through, cursor;
  for (const auto& row : reply.rows) {
    for (const wire::AdminValue& value : row) {
      if (value.name == "through") through = std::to_string(std::get<std::int64_t>(value.value));
      if (value.name == "cursor") cursor = std::get<std::string_view>(value.value);
    }
  }
  if (!cursor.empty()) bulk(open.verb, open.queue, through, cursor);
}

void ClientHost::list_something() {
  static constexpr std::uint32_t kStates[] = {0, 0, kFinalStates, state_bit(JobState::failed),
                                              kQueuedStates | state_bit(JobState::running)};
  Open what;
  if (dice_.chance(0.6)) what.queue = kQueues[dice_.below(parts_.weather.queues)];
  if (dice_.chance(0.2)) what.type = kTypes[dice_.below(std::size(kTypes))];
  what.states = kStates[dice_.below(std::size(kStates))];
  what.limit = static_cast<std::uint32_t>(1 + dice_.skewed(0, 200).count());
  list(what, {});
}

void ClientHost::list(const Open& what, std::string_view cursor) {
  wire::List list;
  list.queue = what.queue;
  list.type = what.type;
  list.states = what.states;
  list.limit = what.limit;
  list.cursor = cursor;
  wire::Message message{0, list};
  Open& open = process_->open[post(message, {}, false, false)];
  open.queue = what.queue;
  open.type = what.type;
  open.states = what.states;
  open.limit = what.limit;
  open.pages = what.pages;
}

void ClientHost::on_listed(wire::Request request, const wire::Listed& listed) {
  Process& process = *process_;
  process.table.close(request);
  const auto at = process.open.find(request);
  if (at == process.open.end()) return;
  Open what = std::move(at->second);
  process.open.erase(at);
  const std::string cursor(listed.cursor);
  if (cursor.empty()) return;
  // Thousands of jobs one by one take longer than a run lasts.
  static constexpr std::uint32_t kEnough = 100;
  if (++what.pages < kEnough) list(what, cursor);
}

void ClientHost::drain_any() {
  const std::string worker = "w" + std::to_string(1 + dice_.below(parts_.weather.workers));
  wire::Admin admin;
  admin.verb = "drain";
  admin.arguments.emplace_back("worker", worker);
  wire::Message message{0, std::move(admin)};
  (void)post(message, {}, false, false);
}

}  // namespace rota::sim

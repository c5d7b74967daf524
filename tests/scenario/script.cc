#include "tests/scenario/script.h"

#include <gtest/gtest.h>

#include <sstream>

#include "common/base/units.h"

namespace rota::scenario {

using namespace queue;

namespace {

std::vector<std::string> split(const std::string& text, char by) {
  std::vector<std::string> parts;
  std::istringstream in(text);
  for (std::string part; std::getline(in, part, by);) {
    if (!part.empty()) parts.push_back(part);
  }
  return parts;
}

AttemptEnd end_named(const std::string& name) {
  for (const auto& [text, end] : std::map<std::string, AttemptEnd>{{"succeeded", AttemptEnd::succeeded},
                                                                   {"failed", AttemptEnd::failed},
                                                                   {"rejected", AttemptEnd::rejected},
                                                                   {"timed_out", AttemptEnd::timed_out},
                                                                   {"cancelled", AttemptEnd::cancelled},
                                                                   {"lost", AttemptEnd::lost},
                                                                   {"expired", AttemptEnd::expired}}) {
    if (text == name) return end;
  }
  ADD_FAILURE() << "no such end: " << name;
  return AttemptEnd::succeeded;
}

}  // namespace

Script::Script() : core_(core_options_, Prng(11)) {}

std::string Script::step(const std::vector<std::string>& lines) {
  output_.clear();
  tick_ = true;
  for (const std::string& line : lines) run(parse_line(line));
  if (tick_) core_.tick(now_, effects_);
  take();
  core_.check_invariants();
  return output_;
}

void Script::run(const Line& line) {
  using Handler = void (Script::*)(const Line&);
  static const std::map<std::string, Handler> kHandlers{
      {"options", &Script::options}, {"submit", &Script::submit},
      {"hello", &Script::hello},     {"complete", &Script::complete},
      {"renew", &Script::renew},     {"release", &Script::release},
      {"goodbye", &Script::goodbye}, {"cancel", &Script::cancel},
      {"retry", &Script::retry},     {"purge", &Script::purge},
      {"forget", &Script::forget},   {"pause", &Script::pause},
      {"resume", &Script::pause},    {"drain", &Script::drain},
      {"show", &Script::show},       {"unreachable", &Script::unreachable},
      {"fill", &Script::fill}};
  if (const auto at = kHandlers.find(line.verb); at != kHandlers.end()) {
    (this->*at->second)(line);
    take();
    return;
  }
  if (line.verb == "restart") return restart();
  if (line.verb == "slow-disk" || line.verb == "disk-is-back") {
    disk_is_slow_ = line.verb == "slow-disk";
    if (!disk_is_slow_) let_leave();
  } else if (line.verb == "hold" || line.verb == "release-hold") {
    core_.hold_dispatch(line.verb == "hold");
  } else if (line.verb == "no-tick") {
    tick_ = false;
  } else if (line.verb == "tick") {
    core_.tick(now_, effects_);
    take();
  } else if (line.verb == "advance" || line.verb == "stall") {
    advance(*parse_duration(line.words.at(0)), line.verb == "stall");
  } else if (line.verb == "pass") {  // within a turn
    const Millis by = *parse_duration(line.words.at(0));
    now_ = {now_.steady + by, now_.wall + by};
  } else if (line.verb == "wall") {
    const Millis by = *parse_duration(line.words.at(0));
    now_.wall = line.words.size() > 1 && line.words[1] == "back" ? now_.wall - by : now_.wall + by;
  } else {
    ADD_FAILURE() << "no such command: " << line.verb;
  }
}

void Script::options(const Line& line) {
  core_options_.lease = line.duration("lease", core_options_.lease);
  core_options_.reattach = line.duration("reattach", core_options_.reattach);
  core_options_.recent_horizon = line.duration("horizon", core_options_.recent_horizon);
  core_options_.dedup_window = line.duration("window", core_options_.dedup_window);
  core_options_.first_slot = static_cast<Slot>(line.number("first_slot", 0));
  core_ = Core(core_options_, Prng(11));
}

// In steps as a broker would, so that nothing takes it for a stall; or in one leap.
void Script::advance(Millis by, bool stall) {
  const Millis most = stall ? by : core_options_.lease / 6;
  while (by.count() > 0) {
    const Millis one = std::min(by, most);
    now_ = {now_.steady + one, now_.wall + one};
    by -= one;
    core_.tick(now_, effects_);
    take();
    core_.check_invariants();
  }
}

void Script::restart() {
  core_ = store_.reopen(core_options_, Prng(11), now_);
  waiting_.clear();
  sessions_.clear();
}

JobId Script::id_of(const std::string& name, const Line& line) {
  if (const auto at = jobs_.find(name); at != jobs_.end()) return at->second;
  Wall made = core_.id_clock(now_);
  made = made - line.duration("id_age", Millis{0});
  made = made + line.duration("id_ahead", Millis{0});
  JobId id = make_job_id(made, slot_of_queue(line.text("id_queue", line.text("queue", "default"))), ids_);
  if (line.has("not_an_id")) id.bytes[6] = 0x40;
  jobs_[name] = id;
  job_names_[id] = name;
  return id;
}

TokenOf Script::token_of(const std::string& word, const Line& line) {
  const std::size_t at = word.find('@');
  const JobId id = id_of(word.substr(0, at), line);
  if (at == std::string::npos) return {id, tokens_[id]};
  const std::size_t dot = word.find('.', at);
  return {id, Token{std::stoull(word.substr(at + 1, dot - at - 1)), std::stoull(word.substr(dot + 1))}};
}

std::vector<FinishedJob> Script::look_up(const std::vector<JobId>& ids) const {
  std::vector<JobId> wanted;
  for (const JobId& id : ids) {
    if (core_.must_look_up(id, now_)) wanted.push_back(id);
  }
  return store_.find(wanted);
}

void Script::submit(const Line& line) {
  const std::string queue = line.text("queue", "default");
  const std::string type = line.text("type", "exec");
  const std::string body(line.number("bytes", 10), 'x');
  SubmitShared shared;
  shared.record.queue = queue;
  shared.record.type = type;
  Policy& policy = shared.record.policy;
  policy.retries = static_cast<std::uint32_t>(line.number("retries", 0));
  policy.losses = static_cast<std::uint8_t>(line.number("losses", limits::kDefaultLosses));
  policy.backoff = line.duration("backoff", limits::kDefaultBackoff);
  policy.keep = line.duration("keep", Millis{-1});
  policy.key_for = line.duration("key_for", Millis{0});
  if (line.has("memory")) policy.durability = Durability::memory;
  shared.priority = static_cast<std::int8_t>(std::stoi(line.text("priority", "0")));
  shared.delay = line.duration("delay", Millis{0});
  if (line.has("at")) shared.run_at = now_.wall + line.duration("at", Millis{0});
  shared.expires = line.duration("expires", Millis{0});
  const std::string key = line.text("key");
  std::vector<JobId> ids;
  std::vector<SubmitItem> items;
  for (const std::string& name : line.words) {
    ids.push_back(id_of(name, line));
    items.push_back({0, ids.back(), line.number("content", 1), key, body});
  }
  const auto found = look_up(ids);
  core_.apply(Submit{1, 1, {&shared, 1}, items, found}, now_, effects_);
  take();
}

void Script::hello(const Line& line) {
  const std::string& name = line.words.at(0);
  Worker& worker = workers_[name];
  if (worker.uuid.is_nil() || line.has("new")) {
    worker = Worker{};
    worker.uuid.bytes[0] = static_cast<std::uint8_t>(++routes_);
  }
  const std::string shown = line.text("name", name);
  const std::string host = line.text("host", "h-" + name);
  const std::string boot = line.text("boot", "b1");
  std::vector<std::string> queue_texts = split(line.text("queues", "default"), ',');
  std::vector<ServedQueue> queues;
  for (std::string& text : queue_texts) {
    const std::size_t colon = text.find(':');
    const auto weight = colon == std::string::npos ? 1U : static_cast<std::uint32_t>(std::stoul(text.substr(colon + 1)));
    text = text.substr(0, colon);
    queues.push_back({text, weight});
  }
  const std::vector<std::string> type_texts = split(line.text("types", "exec"), ',');
  const std::vector<std::string_view> types(type_texts.begin(), type_texts.end());
  std::vector<TokenOf> lists[3];
  std::vector<JobId> ids;
  const char* const names[] = {"started", "held", "finished"};
  for (std::size_t i = 0; i < 3; ++i) {
    for (const std::string& word : split(line.text(names[i]), ',')) {
      lists[i].push_back(token_of(word, line));
      ids.push_back(lists[i].back().id);
    }
  }
  const auto found = look_up(ids);
  WorkerHello command;
  command.route = line.number("route", ++routes_);
  route_names_[command.route] = name;
  worker.connection = line.number("connection", worker.connection + 1);
  command.session = worker.uuid;
  command.connection = worker.connection;
  command.name = shown;
  command.host = host;
  command.boot_id = boot;
  command.pid = line.number("pid", 1);
  command.start_time = line.number("start", 1);
  command.slots = static_cast<std::uint32_t>(line.number("slots", 1));
  command.credit = static_cast<std::uint32_t>(line.number("credit", command.slots));
  worker.credit = command.credit;
  command.queues = queues;
  command.types = types;
  command.started = lists[0];
  command.held = lists[1];
  command.finished = lists[2];
  command.found = found;
  command.draining = line.has("draining");
  core_.apply(command, now_, effects_);
  take();
}

void Script::complete(const Line& line) {
  Worker& worker = workers_[line.words.at(0)];
  std::vector<CompletionItem> items;
  std::vector<JobId> ids;
  for (std::size_t i = 1; i < line.words.size(); ++i) {
    CompletionItem item;
    item.job = token_of(line.words[i], line);
    item.end = end_named(line.text("end", "succeeded"));
    item.report = "r";
    item.started_ago = line.duration("ago", Millis{10});
    items.push_back(item);
    ids.push_back(item.job.id);
    worker.started_through = std::max(worker.started_through, item.job.token.dispatch);
  }
  worker.credit = static_cast<std::uint32_t>(line.number("credit", worker.credit));
  const auto found = look_up(ids);
  core_.apply(Complete{worker.session, 1, worker.started_through, worker.credit, items, found}, now_, effects_);
  take();
}

void Script::renew(const Line& line) {
  for (const std::string& name : line.words) {
    Worker& worker = workers_[name];
    worker.started_through = line.number("started_through", worker.started_through);
    worker.credit = static_cast<std::uint32_t>(line.number("credit", worker.credit));
    core_.apply(Renew{worker.session, worker.started_through, worker.credit}, now_, effects_);
  }
}

void Script::release(const Line& line) {
  std::vector<TokenOf> tokens;
  for (std::size_t i = 1; i < line.words.size(); ++i) tokens.push_back(token_of(line.words[i], line));
  core_.apply(Released{workers_[line.words.at(0)].session, tokens}, now_, effects_);
}

void Script::goodbye(const Line& line) { core_.apply(WorkerGoodbye{workers_[line.words.at(0)].session}, now_, effects_); }

// The worker's connection is gone, and what was dispatched of these jobs never left.
void Script::unreachable(const Line& line) {
  std::vector<TokenOf> tokens;
  for (std::size_t i = 1; i < line.words.size(); ++i) tokens.push_back(token_of(line.words[i], line));
  core_.apply(WorkerUnreachable{workers_[line.words.at(0)].session, tokens}, now_, effects_);
  take();
}

// As many queues or workers as a broker can hold. Says nothing of each.
void Script::fill(const Line& line) {
  if (line.words.at(0) == "queues") {
    for (std::size_t i = 0; i < limits::kMaxQueues; ++i) {
      const std::string queue = std::string("q").append(std::to_string(i));
      core_.apply(Pause{1, 1, queue, true}, now_, effects_);
      effects_.clear();
    }
    return;
  }
  for (std::size_t i = 0; i < limits::kMaxWorkers; ++i) {
    const std::string name = std::string("many").append(std::to_string(i));
    const ServedQueue queue{"default", 1};
    const std::string_view type = "exec";
    WorkerHello command;
    command.session.bytes[1] = static_cast<std::uint8_t>(i >> 8U);
    command.session.bytes[2] = static_cast<std::uint8_t>(i);
    command.session.bytes[3] = 1;
    command.connection = 1;
    command.name = command.host = command.boot_id = name;
    command.queues = {&queue, 1};
    command.types = {&type, 1};
    core_.apply(command, now_, effects_);
    effects_.clear();
  }
}

void Script::cancel(const Line& line) {
  std::vector<JobId> ids;
  for (const std::string& name : line.words) ids.push_back(id_of(name, line));
  const auto found = look_up(ids);
  core_.apply(Cancel{1, 1, ids, found}, now_, effects_);
  take();
}

void Script::retry(const Line& line) {
  std::vector<JobId> ids;
  std::vector<RetryItem> items;
  for (const std::string& name : line.words) {
    ids.push_back(id_of(name, line));
    RetryItem item{ids.back(), std::nullopt};
    if (line.has("seen")) item.attempt_seen = static_cast<std::uint32_t>(line.number("seen", 0));
    items.push_back(item);
  }
  const auto found = look_up(ids);
  core_.apply(Retry{1, 1, items, found}, now_, effects_);
  take();
}

void Script::purge(const Line& line) {
  std::uint32_t states = 0;
  for (const std::string& name : split(line.text("states", "ready,scheduled"), ',')) {
    states |= 1U << static_cast<std::uint32_t>(*parse_job_state(name));
  }
  const std::string queue = line.text("queue", "default");
  core_.apply(Purge{1, 1, queue, states, line.number("through", core_.last_sequence())}, now_, effects_);
  take();
}

// As the server does it: the jobs come from the store.
void Script::forget(const Line& line) {
  std::vector<JobId> ids;
  for (const std::string& name : line.words) ids.push_back(id_of(name, line));
  const auto found = store_.find(ids);
  core_.apply(ForgetFinished{1, 1, found}, now_, effects_);
  take();
}

void Script::pause(const Line& line) {
  const std::string queue = line.text("queue", "default");
  core_.apply(Pause{1, 1, queue, line.verb == "pause"}, now_, effects_);
  take();
}

void Script::drain(const Line& line) {
  core_.apply(DrainWorker{1, 1, line.words.at(0)}, now_, effects_);
  take();
}

}  // namespace rota::scenario

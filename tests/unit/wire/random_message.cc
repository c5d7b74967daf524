#include "tests/unit/wire/random_message.h"

#include <array>
#include <set>
#include <utility>

namespace rota::wire::test {
namespace {

template <std::size_t... I>
Body body_at(std::size_t index, std::index_sequence<I...> /*all*/) {
  Body body;
  static_cast<void>(((index == I && (body.emplace<I>(), true)) || ...));
  return body;
}

}  // namespace

std::uint64_t RandomMessage::number() { return random_.next() >> random_.below(64); }

Millis RandomMessage::duration() {
  return Millis{static_cast<std::int64_t>(number() % static_cast<std::uint64_t>(limits::kMaxDuration.count() + 1))};
}

Wall RandomMessage::wall() { return coin() ? Wall{} : Wall{static_cast<std::int64_t>(number() >> 1U)}; }

std::string_view RandomMessage::keep(std::string text) { return strings_.emplace_back(std::move(text)); }

std::string_view RandomMessage::blob(std::size_t most) {
  std::string bytes(random_.below(most + 1), '\0');
  for (char& byte : bytes) byte = static_cast<char>(1 + random_.below(255));
  return keep(std::move(bytes));
}

std::string_view RandomMessage::text(std::size_t most) {
  static constexpr std::array<std::string_view, 6> kPieces = {"a", "7", " ", "ü", "€", "😀"};
  std::string out;
  for (std::size_t left = random_.below(most + 1); left > 4; left = left > 9 ? left - 5 : 0) {
    out += kPieces[random_.below(kPieces.size())];
  }
  return keep(std::move(out));
}

std::string_view RandomMessage::name() {
  static constexpr std::string_view kLetters = "abcXYZ019._-";
  std::string out(1 + random_.below(limits::kMaxQueueName), ' ');
  for (char& c : out) c = kLetters[random_.below(kLetters.size())];
  return keep(std::move(out));
}

std::vector<Pair> RandomMessage::pairs() {
  std::vector<Pair> out;
  std::set<std::string_view> names;
  for (std::uint64_t i = random_.below(4); i > 0; --i) {
    const std::string_view pair_name = name();
    if (names.insert(pair_name).second) out.emplace_back(pair_name, text(40));
  }
  return out;
}

Uuid RandomMessage::uuid() {
  Uuid id;
  for (auto& byte : id.bytes) byte = static_cast<std::uint8_t>(random_.below(256));
  id.bytes[0] |= 1U;
  return id;
}

JobId RandomMessage::id(std::string_view queue) {
  return make_job_id(Wall{static_cast<std::int64_t>(random_.below(1ULL << 48U))}, slot_of_queue(queue), random_);
}

TokenOf RandomMessage::token() { return {id(name()), {number(), number()}}; }

Spec RandomMessage::spec() {
  Spec out;
  if (coin()) out.name = text(limits::kMaxJobName);
  if (coin()) out.headers = pairs();
  if (coin()) {
    Command& command = out.command.emplace();
    command.argv.push_back("program");
    for (std::uint64_t i = random_.below(4); i > 0; --i) command.argv.push_back(blob(30));
    if (coin()) command.env.emplace_back("A", blob(9));
    if (coin()) command.cwd = blob(20);
  }
  return out;
}

Report RandomMessage::report(bool with_worker) {
  Report out;
  if (with_worker && coin()) out.worker = "worker-1";
  if (coin()) out.exit_code = static_cast<std::int32_t>(number32());
  if (coin()) out.signal = static_cast<std::int32_t>(random_.below(65));
  if (coin()) out.error_code = text(limits::kMaxErrorCode);
  if (coin()) out.error_message = text(limits::kMaxErrorMessage);
  if (coin()) out.result = blob(300);
  if (coin()) out.stderr_tail = blob(300);
  return out;
}

Selector RandomMessage::selector() {
  Selector out;
  out.kind = static_cast<Selector::Kind>(random_.below(3));
  if (out.kind == Selector::Kind::index) out.index = static_cast<std::int64_t>(number()) * (coin() ? 1 : -1);
  if (out.kind == Selector::Kind::line) out.line = blob(300);
  return out;
}

JobOptions RandomMessage::options() {
  JobOptions out;
  if (coin()) out.priority = static_cast<std::int8_t>(static_cast<int>(random_.below(256)) - 128);
  if (coin()) out.delay = duration();
  if (coin()) out.run_at = wall();
  if (coin()) out.time_limit = duration();
  if (coin()) out.retries = static_cast<std::uint32_t>(random_.below(limits::kMaxRetries + 1));
  if (coin()) out.backoff = duration();
  if (coin()) out.backoff_factor_milli = 1000 + static_cast<std::uint32_t>(random_.below(9000));
  if (coin()) out.backoff_max = duration();
  if (coin()) out.losses = static_cast<std::uint32_t>(random_.below(limits::kMaxLosses + 1));
  if (coin()) out.expires = duration();
  if (coin()) out.keep = duration();
  if (coin()) out.key_for = duration();
  out.durability = durability();
  out.stop_on_disconnect = coin();
  return out;
}

ItemResult RandomMessage::result() {
  ItemResult out;
  out.plain = coin();
  if (out.plain) return out;
  out.code = code();
  out.state = state();
  out.durability = durability();
  if (coin()) out.id = id(name());
  out.created_at = wall();
  out.run_at = wall();
  if (coin()) out.message = text(60);
  return out;
}

Hello RandomMessage::hello() {
  Hello out;
  out.version_min = static_cast<std::uint32_t>(random_.below(2));
  out.version_max = out.version_min == 0 ? 1 + static_cast<std::uint32_t>(random_.below(9)) : 1;
  out.software = text(limits::kMaxHelloText);
  out.host = text(limits::kMaxHelloText);
  out.pid = number();
  if (coin()) return out;
  out.session = uuid();
  out.connection = number() | 1U;
  out.name = "worker-1";
  out.boot_id = text(40);
  out.start_time = number();
  out.slots = 1 + static_cast<std::uint32_t>(random_.below(limits::kMaxSlots));
  out.credit = static_cast<std::uint32_t>(random_.below(limits::kMaxCredit + 1));
  out.draining = coin();
  out.queues = list(5, [&] {
    return QueueWeight{name(), 1 + static_cast<std::uint32_t>(random_.below(limits::kMaxQueueWeight))};
  });
  out.types = list(5, [&] { return name(); });
  out.labels = pairs();
  out.started = list(5, [&] { return token(); });
  out.held = list(5, [&] { return token(); });
  out.finished = list(5, [&] { return token(); });
  return out;
}

Welcome RandomMessage::welcome() {
  Welcome out;
  out.broker_id = uuid();
  out.software = text(60);
  out.wall = wall();
  out.slots = list(3, [&] { return SlotRange{static_cast<Slot>(random_.below(2048)), 4095, number()}; });
  out.max_payload = number();
  out.max_batch = number();
  out.max_message = number();
  out.dedup_window = duration();
  out.clients_endpoint = text(60);
  out.workers_endpoint = text(60);
  if (coin()) return out;
  out.lease = duration() + Millis{1};
  if (out.lease > limits::kMaxDuration) out.lease = limits::kMaxDuration;
  out.started = list(5, [&] { return code(); });
  out.held = list(5, [&] { return code(); });
  out.finished = list(5, [&] { return code(); });
  return out;
}

Submit RandomMessage::submit() {
  Submit out;
  out.notify = coin();
  for (std::uint64_t i = 1 + random_.below(4); i > 0; --i) out.shared.push_back({name(), name(), options(), spec()});
  out.items = list(8, [&] {
    SubmitItem item;
    item.shared = static_cast<std::uint32_t>(random_.below(out.shared.size()));
    item.id = id(out.shared[item.shared].queue);
    item.selector = selector();
    if (coin()) item.payload = blob(400);
    if (coin()) item.key = text(limits::kMaxKey);
    return item;
  });
  return out;
}

NotifyItem RandomMessage::notify_item() {
  NotifyItem out;
  out.id = id(name());
  out.code = code();
  out.state = state();
  out.attempts = number32();
  out.losses = number32();
  if (coin()) out.report = report(true);
  if (coin()) out.result_size = number();
  if (coin()) out.message = text(60);
  return out;
}

JobInfo RandomMessage::job_info() {
  JobInfo out;
  out.id = id(name());
  if (coin()) {
    out.code = Code::not_found;
    out.message = text(60);
    return out;
  }
  out.name = text(60);
  out.queue = name();
  out.type = name();
  out.key = text(60);
  out.state = state();
  out.cancel_requested = coin();
  out.priority = static_cast<std::int32_t>(random_.below(256)) - 128;
  out.attempts = number32();
  out.losses = number32();
  out.retries = number32();
  out.durability = durability();
  out.created_at = wall();
  out.run_at = wall();
  out.started_at = wall();
  out.finished_at = wall();
  out.report = report(true);
  out.result_size = number();
  if (random_.below(2) == 0) out.progress = random_.unit();
  out.progress_message = text(60);
  out.waiting_for = text(60);
  return out;
}

List RandomMessage::list_filters() {
  List out;
  if (coin()) out.limit = 1 + static_cast<std::uint32_t>(random_.below(limits::kMaxListJobs));
  if (random_.below(4) == 0) {
    std::string digits(limits::kMinEnding + random_.below(33 - limits::kMinEnding), '0');
    for (char& digit : digits) digit = "0123456789abcdef"[random_.below(16)];
    out.ending = keep(std::move(digits));
    return out;
  }
  if (coin()) out.queue = name();
  if (coin()) out.type = name();
  if (coin()) out.states = static_cast<std::uint32_t>(random_.below(1U << kJobStateCount));
  if (coin()) out.since = duration();
  if (coin()) out.cursor = blob(limits::kMaxCursor);
  return out;
}

AdminReply RandomMessage::admin_reply() {
  AdminReply out;
  out.code = code();
  out.message = text(60);
  out.rows = list(4, [&] {
    return list(4, [&] {
      AdminValue value{name(), static_cast<std::int64_t>(number())};
      if (coin()) value.value = random_.unit() * 1000;
      if (coin()) value.value = coin();
      if (coin()) value.value = text(60);
      return value;
    });
  });
  if (coin()) out.cursor = text(limits::kMaxCursor);
  return out;
}

Dispatch RandomMessage::dispatch() {
  Dispatch out;
  out.epoch = number();
  for (std::uint64_t i = 1 + random_.below(4); i > 0; --i)
    out.shared.push_back({name(), name(), duration(), coin(), blob(99)});
  out.items = list(8, [&] {
    DispatchItem item;
    item.shared = static_cast<std::uint32_t>(random_.below(out.shared.size()));
    item.dispatch = number();
    item.id = id(name());
    item.attempt = number32();
    item.selector = selector();
    if (coin()) item.payload = blob(400);
    if (coin()) item.expires_in = duration();
    return item;
  });
  return out;
}

Complete RandomMessage::complete() {
  Complete out;
  out.started_through = number();
  out.credit = static_cast<std::uint32_t>(random_.below(limits::kMaxCredit + 1));
  out.items = list(8, [&] {
    return CompleteItem{token(), static_cast<AttemptEnd>(random_.below(7)), duration(), report(false)};
  });
  return out;
}

Renew RandomMessage::renew() {
  Renew out;
  out.started_through = number();
  out.credit = static_cast<std::uint32_t>(random_.below(limits::kMaxCredit + 1));
  out.progress = list(4, [&] { return Renew::Progress{token(), random_.unit(), text(limits::kMaxProgressMessage)}; });
  return out;
}

void RandomMessage::fill(Body& body) {
  const auto ids = [&] { return list(9, [&] { return id(name()); }); };
  const auto tokens = [&] { return list(9, [&] { return token(); }); };
  if (auto* hello_body = std::get_if<Hello>(&body)) *hello_body = hello();
  if (auto* welcome_body = std::get_if<Welcome>(&body)) *welcome_body = welcome();
  if (auto* error = std::get_if<ErrorReply>(&body)) *error = {code(), text(60), duration()};
  if (auto* goodbye = std::get_if<Goodbye>(&body)) *goodbye = {code(), text(60)};
  if (auto* submit_body = std::get_if<Submit>(&body)) *submit_body = submit();
  if (auto* submitted = std::get_if<Submitted>(&body)) *submitted = {list(9, [&] { return result(); }), duration()};
  if (auto* wait = std::get_if<Wait>(&body)) *wait = {coin(), ids()};
  if (auto* notify = std::get_if<Notify>(&body)) notify->items = list(5, [&] { return notify_item(); });
  if (auto* get = std::get_if<Get>(&body)) *get = {coin(), ids()};
  if (auto* jobs = std::get_if<Jobs>(&body)) jobs->jobs = list(5, [&] { return job_info(); });
  if (auto* cancel = std::get_if<Cancel>(&body)) cancel->ids = ids();
  if (auto* retry = std::get_if<Retry>(&body)) {
    retry->items = list(5, [&] {
      Retry::Item item{id(name()), {}};
      if (coin()) item.attempt_seen = number32();
      return item;
    });
  }
  if (auto* results = std::get_if<Results>(&body)) results->items = list(9, [&] { return result(); });
  if (auto* list_body = std::get_if<List>(&body)) *list_body = list_filters();
  if (auto* listed = std::get_if<Listed>(&body)) {
    listed->jobs = list(5, [&] { return job_info(); });
    if (coin()) listed->cursor = blob(limits::kMaxCursor);
  }
  if (auto* admin = std::get_if<Admin>(&body)) *admin = {"queues", pairs()};
  if (auto* reply = std::get_if<AdminReply>(&body)) *reply = admin_reply();
  if (auto* dispatch_body = std::get_if<Dispatch>(&body)) *dispatch_body = dispatch();
  if (auto* complete_body = std::get_if<Complete>(&body)) *complete_body = complete();
  if (auto* completed = std::get_if<Completed>(&body)) completed->codes = list(9, [&] { return code(); });
  if (auto* renew_body = std::get_if<Renew>(&body)) *renew_body = renew();
  if (auto* renewed = std::get_if<Renewed>(&body)) renewed->lease = duration();
  if (auto* reclaim = std::get_if<Reclaim>(&body)) reclaim->jobs = tokens();
  if (auto* released = std::get_if<Released>(&body)) *released = {tokens(), 7};
  if (auto* cancel_jobs = std::get_if<CancelJobs>(&body)) cancel_jobs->jobs = tokens();
}

Message RandomMessage::of_kind(std::size_t index) {
  Message message;
  message.request = number();
  message.body = body_at(index, std::make_index_sequence<std::variant_size_v<Body>>{});
  fill(message.body);
  // A job of type exec needs a command; no random name is "exec", so nothing more is to be done here.
  return message;
}

}  // namespace rota::wire::test

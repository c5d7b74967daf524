#include "tests/unit/client/fake_broker.h"

#include <array>
#include <utility>

namespace rota::client {

namespace {

bool take_one(std::atomic<int>& count) {
  if (count <= 0) return false;
  --count;
  return true;
}

}  // namespace

FakeBroker::FakeBroker() : endpoint_("tcp://127.0.0.1:*") { start(); }
FakeBroker::~FakeBroker() { stop(); }

void FakeBroker::start() {
  stopping_ = false;
  // The port of the predecessor is free once its socket has been reaped, which happens in the background.
  for (;;) {
    Result<net::Router> bound = net::Router::bind(context_, endpoint_, {});
    if (bound) {
      router_.emplace(std::move(bound).value());
      break;
    }
    ROTA_CHECK(bound.error().code == Code::conflict);
    std::this_thread::yield();
  }
  endpoint_ = "tcp://127.0.0.1:" + std::to_string(net::parse_tcp_endpoint(router_->endpoint())->port);
  thread_ = std::jthread([this] { serve(); });
}

void FakeBroker::stop() {
  stopping_ = true;
  if (thread_.joinable()) thread_.join();
  router_.reset();
  const std::lock_guard lock(mutex_);
  sessions_.clear();
  waiters_.clear();
}

void FakeBroker::finish(const JobId& id) {
  const std::lock_guard lock(mutex_);
  to_finish_.push_back(id);
}

void FakeBroker::tell_oldest_failed(const JobId& id) {
  const std::lock_guard lock(mutex_);
  to_fail_.push_back(id);
}

std::size_t FakeBroker::jobs() const {
  const std::lock_guard lock(mutex_);
  return known_.size();
}

void FakeBroker::add(const JobId& id, bool is_final) {
  const std::lock_guard lock(mutex_);
  known_[id] = is_final;
}

void FakeBroker::await_submits(int count) {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return submits_ >= count; });
}

void FakeBroker::await_waits(int count) {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return waits_ >= count; });
}

void FakeBroker::await_goodbyes(int count) {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return goodbyes_ >= count; });
}

void FakeBroker::serve() {
  net::Router::Received received;
  while (!stopping_) {
    std::array<net::WaitItem, 1> items;
    items[0].socket = router_->raw();
    net::wait(items, Millis{5});
    const std::lock_guard lock(mutex_);
    while (router_->receive(received)) {
      ROTA_CHECK(!received.malformed);
      const Result<wire::Message> message = decoder_.decode(received.frame.view());
      if (!message) std::fprintf(stderr, "fake broker: %s\n", message.error().message.c_str());
      ROTA_CHECK(message.ok());
      if (!silent) handle(received.from, *message);
    }
    notify_finished();
    changed_.notify_all();
  }
}

void FakeBroker::handle(const net::RoutingId& from, const wire::Message& message) {
  if (std::holds_alternative<wire::Hello>(message.body)) return on_hello(from, message.request);
  if (std::holds_alternative<wire::Goodbye>(message.body)) {
    if (sessions_.erase(from) > 0) ++goodbyes_;
    return;
  }
  if (!sessions_.contains(from)) return refuse(from, message.request, Code::no_session);
  if (std::holds_alternative<wire::Ping>(message.body)) return answer(from, message.request, wire::Pong{});
  if (take_one(refuse_messages)) return refuse(from, message.request, Code::retry_later, Millis{1});
  if (const auto* submit = std::get_if<wire::Submit>(&message.body)) return on_submit(from, message.request, *submit);
  if (const auto* get = std::get_if<wire::Get>(&message.body)) return on_get(from, message.request, *get);
  if (const auto* wait = std::get_if<wire::Wait>(&message.body)) {
    ++waits_;
    return wait_for(from, message.request, wait->ids, wait->with_result);
  }
  if (const auto* cancel = std::get_if<wire::Cancel>(&message.body)) {
    ++cancels_;
    wire::Results results;
    for (const JobId& id : cancel->ids) {
      wire::ItemResult item;
      item.id = id;
      item.code = known_.contains(id) ? Code::ok : Code::not_found;
      item.state = JobState::cancelled;
      results.items.push_back(item);
    }
    return answer(from, message.request, results);
  }
  if (const auto* list = std::get_if<wire::List>(&message.body)) return on_list(from, message.request, *list);
  if (const auto* admin = std::get_if<wire::Admin>(&message.body)) return on_admin(from, message.request, *admin);
  refuse(from, message.request, Code::bad_message);
}

void FakeBroker::on_hello(const net::RoutingId& from, wire::Request request) {
  ++hellos_;
  const Code refusal = hello_refusal;  // read once: the test may change it meanwhile
  if (refusal != Code::ok) return refuse(from, request, refusal, Millis{1});
  sessions_.insert(from);
  wire::Welcome welcome;
  welcome.broker_id = random_uuid();
  welcome.software = "fake";
  welcome.wall = read_clocks().wall + Millis{5000};  // its clock is ahead
  welcome.max_payload = limits::kDefaultMaxPayload;
  welcome.max_batch = limits::kMaxBatch;
  welcome.max_message = limits::kMaxMessageBytes;
  welcome.dedup_window = limits::kDefaultDedupWindow;
  welcome.slots.push_back({0, 4095, 1});
  welcome.clients_endpoint = endpoint_;
  welcome.workers_endpoint = "tcp://*:5556";
  answer(from, request, welcome);
}

void FakeBroker::on_submit(const net::RoutingId& from, wire::Request request, const wire::Submit& submit) {
  ++submits_;
  const bool refuse_some = take_one(refuse_items);
  wire::Submitted submitted;
  std::vector<JobId> accepted;
  for (std::size_t i = 0; i < submit.items.size(); ++i) {
    wire::ItemResult result;
    result.id = submit.items[i].id;
    if (store_full) {
      result.code = Code::store_full;
      result.message = "the store is full";
    } else if (refuse_some && i % 2 == 0) {
      result.code = Code::retry_later;
      submitted.retry_after = Millis{1};
    } else {
      const auto [job, is_new] = known_.try_emplace(result.id, finish_at_once.load());
      result.plain = is_new;
      result.code = is_new ? Code::ok : Code::duplicate;
      result.created_at = Wall{1};
      if (!is_new && job->second) result.state = JobState::succeeded;
      accepted.push_back(result.id);
    }
    submitted.items.push_back(result);
  }
  if (!take_one(lose_answers)) answer(from, request, submitted);
  if (submit.notify) wait_for(from, request, accepted, true);
}

void FakeBroker::on_get(const net::RoutingId& from, wire::Request request, const wire::Get& get) {
  wire::Jobs jobs;
  for (const JobId& id : get.ids) {
    wire::JobInfo info;
    info.id = id;
    if (known_.contains(id)) {
      info.queue = "default";
      info.type = "noop";
      info.state = known_[id] ? JobState::succeeded : JobState::ready;
      info.report.result = get.with_result ? "done" : "";
    } else {
      info.code = Code::not_found;
      info.message = "no such job";
    }
    jobs.jobs.push_back(info);
  }
  answer(from, request, jobs);
}

// Looks at `look_at` jobs. The cursor is the last id that was looked at and the states that were asked for.
void FakeBroker::on_list(const net::RoutingId& from, wire::Request request, const wire::List& list) {
  ++lists_;
  if (!list.queue.empty() && list.queue != "default") return refuse(from, request, Code::not_found);
  const auto states = static_cast<char>(list.states);
  if (!list.cursor.empty() && list.cursor.back() != states) return refuse(from, request, Code::bad_message);
  wire::Listed listed;
  std::string cursor;
  std::size_t looked_at = 0;
  for (auto job = known_.rbegin(); job != known_.rend(); ++job) {
    const std::string_view bytes(reinterpret_cast<const char*>(job->first.bytes.data()), job->first.bytes.size());
    if (!list.cursor.empty() && bytes >= list.cursor.substr(0, bytes.size())) continue;
    if (looked_at == look_at || listed.jobs.size() == list.limit) {
      listed.cursor = cursor;
      break;
    }
    ++looked_at;
    cursor = std::string(bytes) + states;
    wire::JobInfo info;
    info.id = job->first;
    info.queue = "default";
    info.type = "noop";
    info.state = job->second ? JobState::succeeded : JobState::ready;
    if (list.states != 0 && (list.states & state_bit(info.state)) == 0) continue;
    std::string digits = to_string(info.id);
    std::erase(digits, '-');
    if (digits.ends_with(list.ending)) listed.jobs.push_back(info);
  }
  answer(from, request, listed);
}

// Bulk commands take `look_at` jobs at a time, from the oldest on; other verbs are told back.
void FakeBroker::on_admin(const net::RoutingId& from, wire::Request request, const wire::Admin& admin) {
  ++admins_;
  wire::AdminReply reply;
  if (admin.verb == "queues") {  // three pages of one queue each
    const std::string page = admin.arguments.empty() ? "0" : std::string(admin.arguments.front().second);
    const std::string next = page == "0" ? "1" : page == "1" ? "2" : "";
    reply.rows.push_back({{"queue", std::string_view(page)}});
    reply.cursor = next;
    return answer(from, request, reply);
  }
  if (admin.verb != "purge" && admin.verb != "retry") {
    reply.rows.push_back({{"verb", admin.verb}, {"commits", std::int64_t{7}}, {"rate", 0.5}, {"paused", true}});
    return answer(from, request, reply);
  }
  std::map<std::string, std::string, std::less<>> arguments(admin.arguments.begin(), admin.arguments.end());
  if (arguments["queue"] != "default") return refuse(from, request, Code::not_found);
  if (arguments.contains("through") && arguments["through"] != "9007199254740993") {
    return refuse(from, request, Code::bad_message);
  }
  const bool any = !arguments.contains("state") && admin.verb == "purge";
  std::int64_t taken = 0;
  for (auto job = known_.begin(); job != known_.end() && taken < static_cast<std::int64_t>(look_at.load()) && !stuck;) {
    const bool wanted = any || arguments["state"].find(job->second ? "succeeded" : "ready") != std::string::npos;
    if (!wanted) {
      ++job;
      continue;
    }
    ++taken;
    if (admin.verb == "purge") {
      job = known_.erase(job);
    } else {
      job->second = false;
      ++job;
    }
  }
  const bool more = stuck || taken == static_cast<std::int64_t>(look_at.load());
  reply.rows.push_back({{admin.verb == "purge" ? "forgotten" : "retried", taken},
                        {"refused", std::int64_t{admin.verb == "purge" ? 0 : 1}},
                        {"more", more},
                        {"through", std::int64_t{9007199254740993}},  // no double holds it
                        {"cursor", more ? std::string_view("next") : std::string_view()}});
  if (!take_one(lose_admin_answers)) answer(from, request, reply);
}

void FakeBroker::wait_for(const net::RoutingId& from, wire::Request request, const std::vector<JobId>& ids,
                          bool with_result) {
  wire::Notify notify;
  for (const JobId& id : ids) {
    const auto job = known_.find(id);
    if (job != known_.end() && !job->second) {
      waiters_.emplace(id, Waiter{from, request, with_result});
      continue;
    }
    wire::NotifyItem item;
    item.id = id;
    if (job == known_.end()) {
      item.code = Code::not_found;
      item.message = "never known here";
    }
    item.report.result = with_result ? "done" : "";
    item.result_size = 4;
    notify.items.push_back(item);
  }
  if (!notify.items.empty()) answer(from, request, notify);
}

void FakeBroker::notify_finished() {
  for (const JobId& id : std::exchange(to_fail_, {})) {
    const auto oldest = waiters_.find(id);
    wire::Notify notify;
    notify.items.emplace_back().id = id;
    notify.items.back().state = JobState::failed;
    answer(oldest->second.client, oldest->second.request, notify);
    waiters_.erase(oldest);
  }
  for (const JobId& id : std::exchange(to_finish_, {})) {
    known_[id] = true;
    const auto [first, last] = waiters_.equal_range(id);
    for (auto at = first; at != last; ++at) {
      wire::Notify notify;
      wire::NotifyItem& item = notify.items.emplace_back();
      item.id = id;
      item.report.result = at->second.with_result ? "done" : "";
      item.result_size = 4;
      answer(at->second.client, at->second.request, notify);
    }
    waiters_.erase(first, last);
  }
}

void FakeBroker::answer(const net::RoutingId& to, wire::Request request, wire::Body body) {
  if (take_one(send_garbage)) {
    static_cast<void>(router_->send(to, "\xde\xad\xbe\xef garbage"));
    static_cast<void>(router_->send(to, ""));
  }
  std::string frame;
  wire::encode(wire::Message{request, std::move(body)}, frame);
  static_cast<void>(router_->send(to, frame));
}

void FakeBroker::refuse(const net::RoutingId& to, wire::Request request, Code code, Millis hint) {
  answer(to, request, wire::ErrorReply{code, "refused", hint});
}

}  // namespace rota::client

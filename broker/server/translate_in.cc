#include <algorithm>

#include "broker/server/translate.h"
#include "common/wire/codec.h"

namespace rota::server {
namespace {

void convert(const std::vector<wire::TokenOf>& from, std::vector<queue::TokenOf>& to) {
  to.clear();
  to.reserve(from.size());
  for (const wire::TokenOf& token : from) to.push_back({token.id, token.token});
}

}  // namespace

queue::Policy to_policy(const wire::JobOptions& options) {
  queue::Policy policy;
  policy.retries = options.retries;
  policy.losses = static_cast<std::uint8_t>(options.losses);
  policy.stop_on_disconnect = options.stop_on_disconnect;
  policy.durability = options.durability;
  policy.backoff = options.backoff;
  policy.backoff_factor_milli = options.backoff_factor_milli;
  policy.backoff_max = options.backoff_max;
  policy.time_limit = options.time_limit;
  policy.keep = options.keep;
  policy.key_for = options.key_for;
  return policy;
}

const queue::Submit& Inbound::submit(const wire::Submit& message, Route client, wire::Request request, Found found) {
  bytes_.clear();
  slices_.clear();
  hashes_.clear();
  shared_.clear();
  items_.clear();
  // Everything is written first, because the buffer may move while it grows; views are taken behind.
  for (const wire::SubmitShared& shared : message.shared) {
    const std::size_t at = bytes_.size();
    wire::encode_spec(shared.spec, bytes_);
    slices_.push_back({at, bytes_.size() - at});
    hashes_.push_back(wire::shared_content_hash(shared));
  }
  for (const wire::SubmitItem& item : message.items) {
    const std::size_t at = bytes_.size();
    wire::encode_item_body(item.selector, item.payload, bytes_);
    slices_.push_back({at, bytes_.size() - at});
  }
  for (std::size_t i = 0; i < message.shared.size(); ++i) {
    const wire::SubmitShared& from = message.shared[i];
    queue::SubmitShared to;
    to.record = queue::SharedRecord{from.queue, from.type, to_policy(from.options), view(slices_[i])};
    to.priority = from.options.priority;
    to.delay = from.options.delay;
    to.run_at = from.options.run_at;
    to.expires = from.options.expires;
    shared_.push_back(to);
  }
  for (std::size_t i = 0; i < message.items.size(); ++i) {
    const wire::SubmitItem& from = message.items[i];
    queue::SubmitItem to;
    to.shared = from.shared;
    to.id = from.id;
    to.content_hash = wire::content_hash(hashes_[from.shared], from);
    to.key = from.key;
    to.body = view(slices_[message.shared.size() + i]);
    items_.push_back(to);
  }
  submit_ = queue::Submit{client, request, shared_, items_, found};
  return submit_;
}

queue::Cancel Inbound::cancel(const wire::Cancel& message, Route client, wire::Request request, Found found) {
  return queue::Cancel{client, request, message.ids, found};
}

const queue::Retry& Inbound::retry(const wire::Retry& message, Route client, wire::Request request, Found found,
                                   std::span<const JobId> dropped) {
  retries_.clear();
  for (const wire::Retry::Item& item : message.items) {
    const bool is_dropped = std::find(dropped.begin(), dropped.end(), item.id) != dropped.end();
    retries_.push_back({item.id, item.attempt_seen, is_dropped});
  }
  retry_ = queue::Retry{client, request, retries_, found};
  return retry_;
}

const queue::Retry& Inbound::retry_all(Found jobs, Route client, wire::Request request) {
  retries_.clear();
  for (const queue::FinishedJob& job : jobs) retries_.push_back({job.job.id, job.outcome.attempts, false});
  retry_ = queue::Retry{client, request, retries_, jobs};
  return retry_;
}

const queue::WorkerHello& Inbound::hello(const wire::Hello& message, Route route, Found found) {
  queues_.clear();
  for (const wire::QueueWeight& served : message.queues) queues_.push_back({served.name, served.weight});
  convert(message.started, started_);
  convert(message.held, held_);
  convert(message.finished, finished_);
  hello_ = queue::WorkerHello{};
  hello_.route = route;
  hello_.session = message.session;
  hello_.connection = message.connection;
  hello_.name = message.name;
  hello_.host = message.host;
  hello_.boot_id = message.boot_id;
  hello_.pid = message.pid;
  hello_.start_time = message.start_time;
  hello_.slots = message.slots;
  hello_.credit = message.credit;
  hello_.queues = queues_;
  hello_.types = message.types;
  hello_.started = started_;
  hello_.held = held_;
  hello_.finished = finished_;
  hello_.found = found;
  hello_.draining = message.draining;
  return hello_;
}

const queue::Complete& Inbound::complete(const wire::Complete& message, queue::SessionRef session, std::string_view worker,
                                         wire::Request request, Found found) {
  bytes_.clear();
  slices_.clear();
  completions_.clear();
  for (const wire::CompleteItem& item : message.items) {
    wire::Report report = item.report;
    report.worker = worker;
    const std::size_t at = bytes_.size();
    wire::encode_report(report, bytes_);
    slices_.push_back({at, bytes_.size() - at});
  }
  for (std::size_t i = 0; i < message.items.size(); ++i) {
    const wire::CompleteItem& from = message.items[i];
    queue::CompletionItem to;
    to.job = {from.job.id, from.job.token};
    to.end = from.end;
    to.report = view(slices_[i]);
    to.started_ago = from.started_ago;
    completions_.push_back(to);
  }
  complete_ = queue::Complete{session, request, message.started_through, message.credit, completions_, found};
  return complete_;
}

const queue::Released& Inbound::released(const wire::Released& message, queue::SessionRef session) {
  convert(message.jobs, tokens_);
  released_ = queue::Released{session, tokens_};
  return released_;
}

}  // namespace rota::server

#include "client/submitter.h"

#include <algorithm>
#include <utility>

#include "common/base/units.h"

namespace rota::client {

namespace {

// What an item adds to a frame beside its bytes: id, numbers, msgpack heads.
constexpr std::size_t kItemOverhead = 64;

wire::DecodeLimits own_frame_limits() {
  wire::DecodeLimits limits;
  limits.max_payload = limits::kLargestMaxPayload;
  return limits;
}

void view(const JobTemplate& shared, wire::SubmitShared& out) {
  out.queue = shared.queue;
  out.type = shared.type;
  out.options = shared.options;
  out.spec.name = shared.name;
  out.spec.headers.assign(shared.headers.begin(), shared.headers.end());
  out.spec.command.reset();
  if (shared.command) {
    wire::Command& command = out.spec.command.emplace();
    command.argv.assign(shared.command->argv.begin(), shared.command->argv.end());
    command.env.assign(shared.command->env.begin(), shared.command->env.end());
    command.cwd = shared.command->cwd;
  }
}

}  // namespace

Submitter::Submitter(Connection& connection, WatchList& watched, const SubmitterOptions& options)
    : connection_(connection), watched_(watched), options_(options), decoder_(own_frame_limits()) {
  message_.body = wire::Submit{};
}

void Submitter::add(const JobTemplate& shared, const JobItem& item, Ticket ticket, const Party& party) {
  const std::size_t size = item.payload.size() + item.key.size() + (item.line ? item.line->size() : 0);
  const std::size_t most = std::min<std::size_t>(options_.batch_bytes, connection_.facts().max_message / 2);
  const bool full = bytes_.size() + size + (items_.size() + 1) * kItemOverhead > most;
  const bool other_party = party_.sink != party.sink || party_.notify != party.notify;
  if (!items_.empty() && (full || other_party)) send_gathered();
  if (items_.empty()) party_ = party;

  const std::uint32_t shared_number = shared_index(shared);
  Gathered& gathered = items_.emplace_back();
  gathered.shared = shared_number;
  gathered.id = *item.id;
  gathered.ticket = ticket;
  if (item.line) {
    gathered.kind = wire::Selector::Kind::line;
    gathered.line_size = item.line->size();
    bytes_ += *item.line;
  } else if (item.index) {
    gathered.kind = wire::Selector::Kind::index;
    gathered.index = *item.index;
  }
  gathered.payload_size = item.payload.size();
  bytes_ += item.payload;
  gathered.key_size = item.key.size();
  bytes_ += item.key;
  ++unacknowledged_;

  const std::size_t batch = std::min<std::size_t>(options_.batch, connection_.facts().max_batch);
  if (items_.size() >= batch) send_gathered();
}

std::uint32_t Submitter::shared_index(const JobTemplate& shared) {
  if (!shared_.empty() && shared_.back() == shared) return static_cast<std::uint32_t>(shared_.size() - 1);
  if (shared_.size() == limits::kMaxShared) send_gathered();
  shared_.push_back(shared);
  return static_cast<std::uint32_t>(shared_.size() - 1);
}

void Submitter::send_gathered() {
  if (items_.empty()) return;
  auto& submit = std::get<wire::Submit>(message_.body);
  Pending pending;
  pending.party = party_;
  fill(submit, pending);
  // Past the window the broker refuses unknown ids anyway; half of it leaves room for a clock that runs apart.
  pending.resend_until = connection_.now() + connection_.facts().dedup_window / 2;
  if (party_.notify != nullptr) watched_.expect(pending.ids, party_.notify);
  const wire::Request request = connection_.post(message_, party_.deadline, pending.resend_until);
  pending_.emplace(request, std::move(pending));
  shared_.clear();
  items_.clear();
  bytes_.clear();
}

void Submitter::fill(wire::Submit& submit, Pending& pending) {
  submit.notify = party_.notify != nullptr;
  submit.shared.resize(shared_.size());
  for (std::size_t i = 0; i < shared_.size(); ++i) view(shared_[i], submit.shared[i]);
  submit.items.resize(items_.size());
  pending.ids.reserve(items_.size());
  pending.tickets.reserve(items_.size());
  std::string_view rest = bytes_;
  const auto take = [&rest](std::size_t size) {
    const std::string_view part = rest.substr(0, size);
    rest.remove_prefix(size);
    return part;
  };
  for (std::size_t i = 0; i < items_.size(); ++i) {
    const Gathered& gathered = items_[i];
    wire::SubmitItem& item = submit.items[i];
    item.shared = gathered.shared;
    item.id = gathered.id;
    item.selector.kind = gathered.kind;
    item.selector.index = gathered.index;
    item.selector.line = take(gathered.line_size);
    item.payload = take(gathered.payload_size);
    item.key = take(gathered.key_size);
    pending.ids.push_back(gathered.id);
    pending.tickets.push_back(gathered.ticket);
  }
}

bool Submitter::on_message(const wire::Message& message) {
  if (!pending_.contains(message.request)) return false;
  if (const auto* submitted = std::get_if<wire::Submitted>(&message.body)) {
    on_submitted(message.request, *submitted);
    return true;
  }
  if (const auto* error = std::get_if<wire::ErrorReply>(&message.body)) {
    on_error(message.request, *error);
    return true;
  }
  return false;
}

void Submitter::on_submitted(wire::Request request, const wire::Submitted& answer) {
  const auto found = pending_.find(request);
  Pending pending = std::move(found->second);
  pending_.erase(found);
  if (answer.items.size() != pending.ids.size()) {
    fail(pending, Code::internal,
         "the broker answered " + std::to_string(answer.items.size()) + " of " + std::to_string(pending.ids.size()) +
             " jobs of a message");
    return connection_.close(request);
  }
  std::vector<std::size_t> again;
  const bool time_left = connection_.now() < pending.party.deadline;
  for (std::size_t i = 0; i < answer.items.size(); ++i) {
    const wire::ItemResult& item = answer.items[i];
    const bool for_now = item.code != Code::moved && is_retryable(item.code);
    if (for_now && time_left) {
      pending.refusal = Error{item.code, std::string(item.message)};
      again.push_back(i);
    } else {
      report(pending, i, item);
    }
  }
  if (!again.empty()) submit_again(request, std::move(pending), again, answer.retry_after);
  connection_.close(request);
}

void Submitter::report(const Pending& pending, std::size_t index, const wire::ItemResult& item) {
  const JobId& asked = pending.ids[index];
  SubmitResult result;
  result.ticket = pending.tickets[index];
  result.code = item.code;
  result.id = item.plain || item.id.is_nil() ? asked : item.id;
  result.state = item.state;
  result.durability = item.durability;
  result.created_at = item.created_at;
  result.run_at = item.run_at;
  result.message = item.message;
  --unacknowledged_;
  if (const FinalSink* sink = pending.party.notify; sink != nullptr && !item.plain) {
    if (!result.accepted()) {
      watched_.forget(asked);
    } else if (result.id != asked) {
      watched_.forget(asked);
      watched_.ask({&result.id, 1}, true, sink);
    } else if (result.code == Code::duplicate && is_final(result.state) && watched_.sink_of(asked) != nullptr) {
      // Its notice may have been lost with an earlier connection.
      watched_.forget(asked);
      watched_.ask({&result.id, 1}, true, sink);
    }
  }
  if (pending.party.sink != nullptr && *pending.party.sink) (*pending.party.sink)(result);
}

void Submitter::submit_again(wire::Request request, Pending&& pending, const std::vector<std::size_t>& indexes,
                             Millis hint) {
  Result<wire::Message> own = decoder_.decode(connection_.frame_of(request));
  ROTA_CHECK(own.ok());  // this process encoded it
  auto& submit = std::get<wire::Submit>(own->body);
  Pending next;
  next.party = pending.party;
  next.resend_until = pending.resend_until;
  next.refusals = pending.refusals + 1;
  next.refusal = std::move(pending.refusal);
  for (std::size_t to = 0; to < indexes.size(); ++to) {
    const std::size_t from = indexes[to];
    if (from != to) submit.items[to] = submit.items[from];  // indexes grow, so nothing needed is overwritten
    next.ids.push_back(pending.ids[from]);
    next.tickets.push_back(pending.tickets[from]);
  }
  submit.items.resize(indexes.size());
  const Steady at = connection_.now() + connection_.refusal_pause(hint, pending.refusals);
  const wire::Request number = connection_.post_later(*own, at, next.party.deadline, next.resend_until);
  pending_.emplace(number, std::move(next));
}

void Submitter::on_error(wire::Request request, const wire::ErrorReply& answer) {
  Pending& pending = pending_.at(request);
  if (answer.code != Code::moved && is_retryable(answer.code)) {
    pending.refusal = Error{answer.code, std::string(answer.message)};
    connection_.defer(request, answer.retry_after, pending.refusals++);
    return;
  }
  const Pending failed = std::move(pending);
  pending_.erase(request);
  fail(failed, answer.code, answer.message);
  connection_.close(request);
}

bool Submitter::on_expired(wire::Request request) {
  const auto found = pending_.find(request);
  if (found == pending_.end()) return false;
  const Pending pending = std::move(found->second);
  pending_.erase(found);
  if (pending.refusal) {
    fail(pending, pending.refusal->code, pending.refusal->message);
  } else {
    fail(pending, Code::timed_out,
         "the broker at " + connection_.endpoint() + " did not acknowledge in time; the job may have been accepted");
  }
  return true;
}

void Submitter::fail(const Pending& pending, Code code, std::string_view message) {
  wire::ItemResult item;
  item.code = code;
  item.message = message;
  for (std::size_t i = 0; i < pending.ids.size(); ++i) report(pending, i, item);
}

void Submitter::add_open_ids(IdSet& into) const {
  for (const auto& [request, pending] : pending_) {
    if (pending.party.notify != nullptr) into.insert(pending.ids.begin(), pending.ids.end());
  }
}

void Submitter::abandon(const SubmitSink* sink) {
  if (!items_.empty() && party_.sink == sink) {
    unacknowledged_ -= items_.size();
    shared_.clear();
    items_.clear();
    bytes_.clear();
  }
  for (auto at = pending_.begin(); at != pending_.end();) {
    if (at->second.party.sink != sink) {
      ++at;
      continue;
    }
    if (at->second.party.notify != nullptr) {
      for (const JobId& id : at->second.ids) watched_.forget(id);
    }
    unacknowledged_ -= at->second.ids.size();
    connection_.close(at->first);
    at = pending_.erase(at);
  }
}

}  // namespace rota::client

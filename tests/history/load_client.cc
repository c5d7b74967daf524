#include "tests/history/load_client.h"

#include <algorithm>

#include "common/base/clock.h"

namespace rota::history {

namespace {

constexpr Millis kTurn{50};
constexpr std::int64_t kAgainAfterUs = 200'000;
constexpr std::size_t kCancelBatch = 8;

bool is_cancelled_by(const JobId& id, std::uint64_t cancels) {
  return cancels > 0 && (std::uint64_t{id.bytes[14]} << 8U | id.bytes[15]) % 1000 < cancels;
}

}  // namespace

LoadClient::LoadClient(client::Client& client, const Log& log, LoadSettings settings)
    : client_(client), log_(log), settings_(std::move(settings)), began_us_(monotonic_us()) {
  client_.on_submitted([this](const client::SubmitResult& result) { submitted(result); });
  client_.on_final([this](const client::FinishedJob& job) { ended(job); });
}

LoadClient::~LoadClient() {
  client_.on_submitted(nullptr);
  client_.on_final(nullptr);
}

Status LoadClient::adopt(const KnownJobs& jobs) {
  std::map<std::string, std::vector<JobId>> unacked;
  std::vector<JobId> waiting;
  for (const auto& [id, job] : jobs) {
    if (job.ended) continue;
    open_.emplace(id, Open{job.queue, job.acked});
    if (job.acked) {
      waiting.push_back(id);
    } else {
      unacked[job.queue].push_back(id);
    }
  }
  for (auto& [queue, ids] : unacked) {
    if (Status done = submit(queue, std::move(ids), true); !done) return done;
  }
  return client_.watch(waiting, true);
}

std::uint64_t LoadClient::room() {
  const std::uint64_t open = open_.size();
  std::uint64_t room = settings_.window > open ? settings_.window - open : 0;
  if (settings_.jobs > 0) room = std::min(room, settings_.jobs - std::min(settings_.jobs, submitted_));
  if (settings_.rate > 0) {
    const auto due = static_cast<std::uint64_t>(monotonic_us() - began_us_) * settings_.rate / 1'000'000;
    room = std::min(room, due > submitted_ ? due - submitted_ : 0);
  }
  return room;
}

Status LoadClient::turn(bool submit_more) {
  if (Status again = submit_refused(); !again) return again;
  if (submit_more) {
    // A whole batch or what is left: a message for every job that ends would cost more than it hastens.
    const std::uint64_t free = room();
    const std::uint64_t least = std::min(settings_.batch, settings_.window);
    const std::uint64_t left = settings_.jobs > 0 ? settings_.jobs - std::min(settings_.jobs, submitted_) : least;
    if (free > 0 && (free >= std::min(least, left) || settings_.rate > 0)) {
      if (Status done = submit_batch(std::min(free, settings_.batch)); !done) return done;
    }
  }
  if (Status done = cancel_some(); !done) return done;
  const bool more = submit_more && settings_.rate == 0 && room() >= settings_.batch;
  const Result<std::size_t> handled = client_.poll(more ? Millis{0} : kTurn);
  write_told();
  return handled ? Status{} : Status{handled.error()};
}

Status LoadClient::submit_batch(std::uint64_t count) {
  const std::string& queue = settings_.queues[next_queue_++ % settings_.queues.size()];
  std::vector<JobId> ids;
  ids.reserve(count);
  for (std::uint64_t i = 0; i < count; ++i) ids.push_back(client_.make_id(queue));
  for (const JobId& id : ids) {
    open_.emplace(id, Open{queue, false});
    if (is_cancelled_by(id, settings_.cancels)) to_cancel_.push_back(id);
  }
  submitted_ += count;
  return submit(queue, std::move(ids), false);
}

Status LoadClient::submit(const std::string& queue, std::vector<JobId> ids, bool again) {
  const Mix& mix = settings_.mix;
  std::sort(ids.begin(), ids.end(), [&](const JobId& a, const JobId& b) {
    return std::pair(template_key(a, mix), a) < std::pair(template_key(b, mix), b);
  });
  std::vector<Plan> plans;
  std::vector<std::string> digests, keys;
  std::vector<std::int64_t> retries;
  for (const JobId& id : ids) {
    const Plan& plan = plans.emplace_back(plan_of(id, queue, mix));
    digests.push_back(digest(plan.payload));
    keys.push_back(plan.key);
    retries.push_back(plan.shared.options.retries);
  }
  Line line("submit");
  line.text("queue", queue).number("again", again ? 1 : 0).ids("ids", ids).texts("payloads", digests);
  // Most jobs have neither.
  if (std::any_of(keys.begin(), keys.end(), [](const std::string& key) { return !key.empty(); })) line.texts("keys", keys);
  if (std::any_of(retries.begin(), retries.end(), [](std::int64_t more) { return more > 0; })) {
    line.numbers("retries", retries);
  }
  log_.write(line);
  for (std::size_t i = 0; i < ids.size(); ++i) {
    client::JobItem item;
    item.id = ids[i];
    item.payload = plans[i].payload;
    item.key = plans[i].key;
    if (!item.key.empty()) keyed_.emplace(next_ticket_, ids[i]);
    ++next_ticket_;
    const Result<client::Ticket> ticket = client_.submit_async(plans[i].shared, item, true);
    if (!ticket) return ticket.error();
  }
  return {};
}

Status LoadClient::submit_refused() {
  if (again_.empty() || monotonic_us() < again_at_us_) return {};
  std::map<std::string, std::vector<JobId>> by_queue;
  for (const JobId& id : again_) {
    if (const auto found = open_.find(id); found != open_.end()) by_queue[found->second.queue].push_back(id);
  }
  again_.clear();
  for (auto& [queue, ids] : by_queue) {
    if (Status done = submit(queue, std::move(ids), true); !done) return done;
  }
  return {};
}

Status LoadClient::cancel_some() {
  if (to_cancel_.size() < kCancelBatch || !client_.in_contact()) return {};
  log_.write(Line("cancel").ids("ids", to_cancel_));
  // Whether it was done is told by how the jobs end.
  (void)client_.cancel(to_cancel_);
  to_cancel_.clear();
  return {};
}

void LoadClient::submitted(const client::SubmitResult& result) {
  JobId asked = result.id;
  if (const auto keyed = keyed_.find(result.ticket); keyed != keyed_.end()) {
    asked = keyed->second;
    keyed_.erase(keyed);
  }
  const auto found = open_.find(asked);
  if (result.accepted() && result.id != asked) {
    merged_.push_back(asked);
    merged_into_.push_back(result.id);
    if (found != open_.end()) open_.erase(found);
    return;
  }
  if (result.accepted()) {
    acked_.push_back(asked);
    if (found != open_.end()) found->second.acked = true;
    return;
  }
  const bool final = refused_for_good(result.code);
  refused_[{result.code, final}].push_back(asked);
  if (final) {
    if (found != open_.end()) open_.erase(found);
    return;
  }
  if (again_.empty()) again_at_us_ = monotonic_us() + kAgainAfterUs;
  again_.push_back(asked);
}

void LoadClient::ended(const client::FinishedJob& job) {
  if (job.code != Code::ok) {
    unknown_[job.code].push_back(job.id);
  } else {
    Ends& ends = ended_[std::string(job_state_name(job.state))];
    ends.ids.push_back(job.id);
    ends.results.push_back(job.result.empty() ? std::string() : digest(job.result));
    ends.errors.emplace_back(job.error_code);
  }
  open_.erase(job.id);
}

void LoadClient::write_told() {
  if (!acked_.empty()) log_.write(Line("acked").ids("ids", acked_));
  if (!merged_.empty()) log_.write(Line("merged").ids("ids", merged_).ids("into", merged_into_));
  for (const auto& [why, ids] : refused_) {
    log_.write(Line("refused").text("code", code_name(why.first)).number("final", why.second ? 1 : 0).ids("ids", ids));
  }
  for (const auto& [state, ends] : ended_) {
    log_.write(Line("ended")
                   .text("state", state)
                   .ids("ids", ends.ids)
                   .texts("results", ends.results)
                   .texts("errors", ends.errors));
  }
  for (const auto& [code, ids] : unknown_) log_.write(Line("unknown").text("code", code_name(code)).ids("ids", ids));
  acked_.clear();
  merged_.clear();
  merged_into_.clear();
  refused_.clear();
  ended_.clear();
  unknown_.clear();
}

}  // namespace rota::history

#include <algorithm>
#include <unordered_map>
#include <utility>

#include "client/client.h"
#include "client/client_state.h"

// The requests of Client that are asked once and answered once.
namespace rota::client {

Job job_of(const wire::JobInfo& info) {
  Job job;
  job.id = info.id;
  job.code = info.code;
  job.message = info.message;
  job.name = info.name;
  job.queue = info.queue;
  job.type = info.type;
  job.key = info.key;
  job.state = info.state;
  job.cancel_requested = info.cancel_requested;
  job.priority = info.priority;
  job.attempts = info.attempts;
  job.losses = info.losses;
  job.retries = info.retries;
  job.durability = info.durability;
  job.created_at = info.created_at;
  job.run_at = info.run_at;
  job.started_at = info.started_at;
  job.finished_at = info.finished_at;
  job.worker = info.report.worker;
  job.exit_code = info.report.exit_code;
  job.signal = info.report.signal;
  job.error_code = info.report.error_code;
  job.error_message = info.report.error_message;
  job.result = info.report.result;
  job.result_size = info.result_size;
  job.stderr_tail = info.report.stderr_tail;
  job.progress = info.progress;
  job.progress_message = info.progress_message;
  job.waiting_for = info.waiting_for;
  return job;
}

Error wrong_answer() { return Error{Code::internal, "the broker answered with a message of another kind"}; }

namespace {

AdminRow row_of(const std::vector<wire::AdminValue>& values) {
  AdminRow row;
  row.reserve(values.size());
  for (const wire::AdminValue& value : values) {
    AdminValue copy;
    if (const auto* text = std::get_if<std::string_view>(&value.value)) {
      copy = std::string(*text);
    } else if (const auto* number = std::get_if<std::int64_t>(&value.value)) {
      copy = *number;
    } else if (const auto* real = std::get_if<double>(&value.value)) {
      copy = *real;
    } else {
      copy = std::get<bool>(value.value);
    }
    row.emplace_back(std::string(value.name), std::move(copy));
  }
  return row;
}

ItemOutcome outcome_of(const JobId& asked, const wire::ItemResult& item) {
  ItemOutcome outcome;
  outcome.id = item.plain || item.id.is_nil() ? asked : item.id;
  outcome.code = item.code;
  outcome.state = item.state;
  outcome.message = item.message;
  return outcome;
}

// Cancel and Retry: the same shape of answer, some of its items perhaps "not now".
class BulkCall {
 public:
  using Fill = std::function<void(wire::Message&, std::span<const JobId>)>;

  BulkCall(Client::State& state, Fill fill) : state_(state), fill_(std::move(fill)) {}

  Result<std::vector<ItemOutcome>> run(std::span<const JobId> ids) {
    std::vector<ItemOutcome> outcomes(ids.size());
    std::vector<std::size_t> open(ids.size());
    for (std::size_t i = 0; i < open.size(); ++i) open[i] = i;
    const Steady until = state_.deadline();
    for (std::uint32_t round = 0; !open.empty(); ++round) {
      std::vector<std::size_t> again;
      if (const Status asked = ask_all(ids, open, outcomes, again); !asked) return asked.error();
      open = std::move(again);
      const Steady next = state_.connection.refresh() + state_.connection.refusal_pause(Millis{0}, round);
      if (open.empty() || next >= until) break;  // what is still refused stands so in its outcome
      const Result<bool> paused = state_.run([] { return false; }, next);
      if (!paused) return paused.error();
    }
    return outcomes;
  }

 private:
  Status ask_all(std::span<const JobId> ids, std::span<const std::size_t> open, std::vector<ItemOutcome>& outcomes,
                 std::vector<std::size_t>& again) {
    const std::size_t batch = state_.connection.facts().max_batch;
    while (!open.empty()) {
      const auto part = open.first(std::min(batch, open.size()));
      open = open.subspan(part.size());
      std::vector<JobId> chosen;
      for (const std::size_t i : part) chosen.push_back(ids[i]);
      wire::Message message;
      fill_(message, chosen);
      bool understood = false;
      Status asked = state_.call(message, [&](const wire::Message& answer) {
        const auto* results = std::get_if<wire::Results>(&answer.body);
        if (results == nullptr || results->items.size() != part.size()) return;
        understood = true;
        for (std::size_t i = 0; i < part.size(); ++i) {
          outcomes[part[i]] = outcome_of(chosen[i], results->items[i]);
          if (results->items[i].code != Code::moved && is_retryable(results->items[i].code)) again.push_back(part[i]);
        }
      });
      if (!asked) return asked;
      if (!understood) return wrong_answer();
    }
    return {};
  }

  Client::State& state_;
  Fill fill_;
};

}  // namespace

double number_in(const AdminRow& row, std::string_view name) {
  for (const auto& [key, value] : row) {
    if (key != name) continue;
    if (const auto* whole = std::get_if<std::int64_t>(&value)) return static_cast<double>(*whole);
    if (const auto* real = std::get_if<double>(&value)) return *real;
    if (const auto* flag = std::get_if<bool>(&value)) return *flag ? 1 : 0;
  }
  return 0;
}

std::string_view text_in(const AdminRow& row, std::string_view name) {
  for (const auto& [key, value] : row) {
    if (key != name) continue;
    if (const auto* text = std::get_if<std::string>(&value)) return *text;
  }
  return {};
}

Result<std::vector<Job>> Client::get(std::span<const JobId> ids, bool with_result) {
  std::vector<Job> jobs;
  jobs.reserve(ids.size());
  // Results can be as large as a message: one at a time.
  const std::size_t batch = with_result ? 1 : limits::kGetBatch;
  while (!ids.empty()) {
    const auto part = ids.first(std::min(batch, ids.size()));
    ids = ids.subspan(part.size());
    wire::Get get;
    get.with_result = with_result;
    get.ids.assign(part.begin(), part.end());
    wire::Message message;
    message.body = std::move(get);
    bool understood = false;
    const Status asked = state_->call(message, [&](const wire::Message& answer) {
      const auto* found = std::get_if<wire::Jobs>(&answer.body);
      if (found == nullptr || found->jobs.size() != part.size()) return;
      understood = true;
      for (const wire::JobInfo& info : found->jobs) jobs.push_back(job_of(info));
    });
    if (!asked) return asked.error();
    if (!understood) return wrong_answer();
  }
  return jobs;
}

Result<std::vector<ItemOutcome>> Client::cancel(std::span<const JobId> ids) {
  return BulkCall(*state_,
                  [](wire::Message& message, std::span<const JobId> part) {
                    message.body = wire::Cancel{{part.begin(), part.end()}};
                  })
      .run(ids);
}

Result<std::vector<ItemOutcome>> Client::retry(std::span<const JobId> ids) {
  const Result<std::vector<Job>> jobs = get(ids);
  if (!jobs) return jobs.error();
  std::unordered_map<JobId, std::uint32_t> seen;
  for (const Job& job : *jobs) {
    if (job.code == Code::ok && is_final(job.state)) seen[job.id] = job.attempts;
  }
  Result<std::vector<ItemOutcome>> outcomes =
      BulkCall(*state_, [&seen](wire::Message& message, std::span<const JobId> part) {
        wire::Retry retry;
        for (const JobId& id : part) {
          const auto found = seen.find(id);
          wire::Retry::Item item{id, std::nullopt};
          if (found != seen.end()) item.attempt_seen = found->second;
          retry.items.push_back(item);
        }
        message.body = std::move(retry);
      }).run(ids);
  if (!outcomes) return outcomes;
  for (const ItemOutcome& outcome : *outcomes) {
    if (outcome.code == Code::ok) state_->watched.restarted(outcome.id);
  }
  return outcomes;
}

Result<std::vector<AdminRow>> Client::admin(std::string_view verb, const std::vector<StringPair>& arguments) {
  std::vector<AdminRow> rows;
  std::string cursor;
  do {
    wire::Admin admin;
    admin.verb = verb;
    admin.arguments.assign(arguments.begin(), arguments.end());
    if (!cursor.empty()) admin.arguments.push_back({"cursor", cursor});
    wire::Message message;
    message.body = std::move(admin);
    std::optional<Error> refused = wrong_answer();
    std::string next;
    const Status asked = state_->call(message, [&](const wire::Message& answer) {
      const auto* reply = std::get_if<wire::AdminReply>(&answer.body);
      if (reply == nullptr) return;
      refused.reset();
      if (reply->code != Code::ok) refused = Error{reply->code, std::string(reply->message)};
      for (const auto& row : reply->rows) rows.push_back(row_of(row));
      next = reply->cursor;
    });
    if (!asked) return asked.error();
    if (refused) return *refused;
    if (next == cursor) next.clear();  // a broker that does not go on is not asked for ever
    cursor = std::move(next);
  } while (!cursor.empty());
  return rows;
}

Result<std::int64_t> Client::ping() {
  wire::Message message;
  message.body = wire::Ping{};
  const std::int64_t start = monotonic_us();
  std::int64_t end = start;
  const Status asked = state_->call(message, [&](const wire::Message&) { end = monotonic_us(); });
  if (!asked) return asked.error();
  return end - start;
}

}  // namespace rota::client

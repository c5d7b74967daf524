#include <algorithm>
#include <charconv>
#include <string>
#include <utility>

#include "broker/server/admin_arguments.h"
#include "broker/server/engine.h"
#include "common/base/check.h"
#include "common/base/limits.h"
#include "common/base/names.h"

// ADMIN purge and retry: what operators do to a queue's jobs as a whole.
namespace rota::server {
namespace {

std::optional<queue::Sequence> parse_sequence(std::string_view text) {
  queue::Sequence value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::uint64_t mark_of(const BulkRun& run) {
  return request_mark({run.queue, run.kind == BulkRun::Kind::purge ? "purge" : "retry"}, run.states);
}

// Sets the states that `names` say, or those that are meant where it says nothing. False: not allowed.
bool set_states(BulkRun& run, std::string_view names) {
  const bool purges = run.kind == BulkRun::Kind::purge;
  const std::uint32_t allowed = purges ? kQueuedStates | kFinalStates : kFinalStates;
  if (names.empty()) {
    run.states = purges ? allowed : state_bit(JobState::failed);
    return true;
  }
  run.states = parse_job_states(names).value_or(0);
  return run.states != 0 && (run.states & ~allowed) == 0;
}

// Skips stages that have none of its states.
void skip_stages(BulkRun& run) {
  if (run.at.stage == BulkRun::queued && (run.states & kQueuedStates) == 0) run.at.stage = BulkRun::finished;
  if (run.at.stage == BulkRun::finished && (run.states & kFinalStates) == 0) run.at.stage = BulkRun::over;
}

void next_stage(BulkRun& run) {
  ++run.at.stage;
  run.at.below = {};
  skip_stages(run);
}

store::ListQuery to_query(const BulkRun& run) {
  store::ListQuery query;
  query.below = run.at.below;
  query.queue = run.queue;
  query.states = run.states & kFinalStates;
  query.most = limits::kBulkSlice;
  return query;
}

}  // namespace

void Engine::start_bulk(Asked& asked, const wire::Admin& admin) {
  BulkRun run;
  run.kind = admin.verb == "purge" ? BulkRun::Kind::purge : BulkRun::Kind::retry;
  run.client = asked.route;
  run.request = asked.request;
  run.queue = argument(admin, "queue");
  run.behind_batch = pipeline_.number();
  if (!is_valid_queue_name(run.queue)) {
    return refuse(asked, Code::bad_message,
                  std::string(admin.verb) + " needs the argument 'queue': 1 to 64 of A-Z a-z 0-9 . _ -");
  }
  if (!set_states(run, argument(admin, "state"))) {
    return refuse(
        asked, Code::bad_message,
        run.kind == BulkRun::Kind::purge
            ? "purge takes the states scheduled, ready, succeeded, failed, cancelled and expired; running jobs are "
              "cancelled, not purged"
            : "retry takes the final states: succeeded, failed, cancelled and expired");
  }
  const std::string_view through = argument(admin, "through");
  const std::string_view cursor = argument(admin, "cursor");
  run.is_first = through.empty() && cursor.empty();
  if (run.is_first) {
    run.through = core_.last_sequence();
    run.at.begun = asked.now.wall;
  } else {
    const std::optional<queue::Sequence> last = parse_sequence(through);
    const std::optional<std::string> bytes = from_hex(cursor);
    const std::optional<Cursor> at = bytes ? decode_cursor(*bytes, mark_of(run)) : std::nullopt;
    if (!last || !at) {
      return refuse(asked, Code::bad_message,
                    "'through' and 'cursor' go together, as an earlier reply to the same verb, queue and states had them");
    }
    run.through = *last;
    run.at = *at;
  }
  // Sent again because the answer takes its time: the first one answers.
  for (const BulkRun& one : bulk_) {
    if (one.client == run.client && one.request == run.request) return;
  }
  if (bulk_.size() >= limits::kMaxBulkRuns) {
    return refuse(asked, Code::retry_later, "other purges and retries are under way; try again", limits::kRetryLaterHint);
  }
  skip_stages(run);
  bulk_.push_back(std::move(run));
}

bool Engine::bulk_is_due() const {
  if (bulk_.empty() || stopping_) return false;
  const BulkRun& run = bulk_.front();
  return !run.reading && (run.behind_batch <= pipeline_.released() || pipeline_.idle());
}

void Engine::bulk_slice(Now now) {
  if (!bulk_is_due()) return;
  BulkRun& run = bulk_.front();
  const bool enough = run.done + run.refused >= limits::kBulkRequestJobs || run.visited >= limits::kBulkRequestVisits;
  if (sessions_.find(run.client) == nullptr) return end_bulk();
  if (run.at.stage >= BulkRun::over || enough) {
    const bool asks = run.is_first && run.done + run.refused == 0 && run.known == BulkRun::Queue::unasked;
    return asks && !core_.knows_queue(run.queue) ? ask_for_queue(run) : end_bulk();
  }
  if (run.at.stage == BulkRun::queued) {
    current_ = Current{Current::Kind::bulk, run.request, false, nullptr, now};
    effects_.clear();
    const bool begins = run.is_first && !std::exchange(run.has_purged, true);
    core_.apply(queue::Purge{run.client, run.request, run.queue, run.states, run.through, begins}, now, effects_);
    run.behind_batch = pipeline_.number();
    process();
    return;
  }
  auto task = std::make_unique<ReadTask>();
  task->asker = ReadTask::Asker::bulk;
  task->list = to_query(run);
  run.reading = true;
  if (run.at.stage == BulkRun::finished) return port_.read(std::move(task));
  carry_out(volatile_store_, *task);
  ROTA_CHECK(task->status.ok());
  on_bulk_read(*task, now);
}

// Nothing was there to do: does the queue exist at all? After a restart the core may not know one whose jobs have ended.
void Engine::ask_for_queue(BulkRun& run) {
  auto task = std::make_unique<ReadTask>();
  task->asker = ReadTask::Asker::bulk;
  task->list = any_finished_of(run.queue);
  run.known = BulkRun::Queue::asked;
  run.reading = true;
  port_.read(std::move(task));
}

// A slice of finished jobs, as the store gave them.
void Engine::on_bulk_read(const ReadTask& task, Now now) {
  ROTA_CHECK(!bulk_.empty());
  BulkRun& run = bulk_.front();
  run.reading = false;
  if (run.known == BulkRun::Queue::asked) {
    run.known = task.listed.empty() && !task.page.more ? BulkRun::Queue::unknown : BulkRun::Queue::known;
    return;
  }
  run.visited += task.page.visited;
  run.at.below = task.page.reached;
  found_.clear();
  for (const queue::FinishedJob& job : task.found.all()) {
    if (job.outcome.sequence <= run.through && job.outcome.finished_at <= run.at.begun) found_.push_back(job);
  }
  if (!task.page.more) next_stage(run);
  if (found_.empty()) return;
  current_ = Current{Current::Kind::bulk, run.request, false, nullptr, now};
  effects_.clear();
  if (run.kind == BulkRun::Kind::purge) {
    core_.apply(queue::ForgetFinished{run.client, run.request, found_}, now, effects_);
    forgotten_in_ = pipeline_.number();
  } else {
    core_.apply(inbound_.retry_all(found_, run.client, run.request), now, effects_);
  }
  run.behind_batch = pipeline_.number();
  process();
}

void Engine::tell(const queue::PurgeReply& answer, bool /*at_once*/) {
  ROTA_CHECK(!bulk_.empty());
  BulkRun& run = bulk_.front();
  run.done += answer.forgotten;
  counters_.purged += answer.forgotten;
  if (run.at.stage == BulkRun::queued && !answer.more) next_stage(run);
}

void Engine::count_bulk(std::span<const queue::ItemReply> items) {
  ROTA_CHECK(!bulk_.empty());
  BulkRun& run = bulk_.front();
  for (const queue::ItemReply& item : items) ++(item.code == Code::ok ? run.done : run.refused);
}

void Engine::end_bulk() {
  BulkRun run = std::move(bulk_.front());
  bulk_.pop_front();
  Peer* peer = sessions_.find(run.client);
  if (peer == nullptr) return;
  const bool more = run.at.stage < BulkRun::over;
  wire::AdminReply out;
  std::string cursor;
  if (run.known == BulkRun::Queue::unknown) {
    out.code = Code::not_found;
    out.message = "no such queue: the broker knows no job of it";
    ++counters_.refusals[static_cast<std::size_t>(out.code)];
  } else {
    if (more) cursor = to_hex(encode_cursor(run.at, mark_of(run)));
    const bool purges = run.kind == BulkRun::Kind::purge;
    std::vector<wire::AdminValue>& row = out.rows.emplace_back();
    row.push_back({purges ? "forgotten" : "retried", static_cast<std::int64_t>(run.done)});
    if (!purges) row.push_back({"refused", static_cast<std::int64_t>(run.refused)});
    row.push_back({"more", more});
    row.push_back({"through", static_cast<std::int64_t>(run.through)});
    row.push_back({"cursor", std::string_view(cursor)});
  }
  frame_.clear();
  encode_simple(run.request, out, frame_);
  reply(run.client, *peer, false);
}

}  // namespace rota::server

#include <charconv>
#include <cmath>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "broker/server/admin_arguments.h"
#include "broker/server/engine.h"
#include "common/base/limits.h"
#include "common/base/names.h"
#include "common/base/peer_limits.h"

// ADMIN: what operators read and order. Rows are for people and scripts; docs/protocol.md lists their fields.
namespace rota::server {
namespace {

using Row = std::vector<wire::AdminValue>;

std::int64_t integer(std::uint64_t value) { return static_cast<std::int64_t>(value); }

double to_tenth(double value) { return std::round(value * 10) / 10; }

// A cursor is the place of the first queue or worker of a page. Nothing: the text is no place.
std::optional<queue::Page> page_of(std::string_view cursor, std::uint32_t rows) {
  queue::Page page{0, rows};
  if (cursor.empty()) return page;
  const auto [end, error] = std::from_chars(cursor.data(), cursor.data() + cursor.size(), page.first);
  if (error != std::errc{} || end != cursor.data() + cursor.size()) return std::nullopt;
  return page;
}

Row queue_row(const queue::QueueView& view, std::deque<std::string>& texts) {
  Row row;
  row.push_back({"queue", std::string_view(texts.emplace_back(view.queue))});
  row.push_back({"paused", view.paused});
  for (std::uint8_t number = 0; number < kJobStateCount; ++number) {
    const auto state = static_cast<JobState>(number);
    if (state == JobState::blocked) continue;
    row.push_back({job_state_name(state), integer(view.by_state[number])});
  }
  row.push_back({"submits_per_s", to_tenth(view.submits_per_s)});
  row.push_back({"finishes_per_s", to_tenth(view.finishes_per_s)});
  if (view.oldest_ready) {
    row.push_back({"oldest_ready_s", static_cast<double>(view.oldest_ready->count()) / 1000.0});
  }
  return row;
}

Row worker_row(const queue::WorkerView& view, const WorkerDetails* details, std::deque<std::string>& texts) {
  Row row;
  row.push_back({"name", std::string_view(texts.emplace_back(view.name))});
  row.push_back({"host", std::string_view(texts.emplace_back(view.host))});
  row.push_back({"pid", integer(view.pid)});
  row.push_back({"slots", integer(view.slots)});
  row.push_back({"running", integer(view.running)});
  row.push_back({"held", integer(view.held)});
  row.push_back({"credit", integer(view.credit)});
  row.push_back({"draining", view.draining});
  row.push_back({"connected", details != nullptr && details->route != 0});
  row.push_back({"lease_left_ms", static_cast<std::int64_t>(view.lease_left.count())});
  if (details != nullptr) {
    row.push_back({"version", std::string_view(texts.emplace_back(details->software))});
    if (!details->labels.empty()) row.push_back({"labels", std::string_view(texts.emplace_back(details->labels))});
  }
  return row;
}

}  // namespace

void Engine::on_admin(Asked& asked, const wire::Admin& admin) {
  std::deque<std::string> texts;  // what the views of the rows point into
  wire::AdminReply out;
  if (admin.verb == "queues" || admin.verb == "workers") {
    const std::uint32_t rows = admin.verb == "queues" ? limits::kMaxAdminRows : limits::kMaxWorkerRows;
    const std::optional<queue::Page> page = page_of(argument(admin, "cursor"), rows);
    if (!page) return refuse(asked, Code::bad_message, "the argument 'cursor' is none of an earlier reply");
    const std::uint32_t next = admin.verb == "queues" ? queue_rows(*page, asked.now, out.rows, texts)
                                                      : worker_rows(*page, asked.now, out.rows, texts);
    if (next != 0) out.cursor = texts.emplace_back(std::to_string(next));
  } else if (admin.verb == "stats") {
    out.rows.push_back(stats_row(texts));
  } else {
    on_admin_command(asked, admin);
    return;
  }
  frame_.clear();
  encode_simple(asked.request, out, frame_);
  reply(asked.route, *asked.peer, false);
}

std::uint32_t Engine::queue_rows(queue::Page page, Now now, std::vector<Row>& rows, std::deque<std::string>& texts) const {
  return core_.each_queue(
      now, [&](const queue::QueueView& view) { rows.push_back(queue_row(view, texts)); }, page);
}

std::uint32_t Engine::worker_rows(queue::Page page, Now now, std::vector<Row>& rows, std::deque<std::string>& texts) const {
  const auto add = [&](const queue::WorkerView& view) {
    rows.push_back(worker_row(view, sessions_.worker(view.session), texts));
  };
  return core_.each_worker(now, add, page);
}

Row Engine::stats_row(std::deque<std::string>& texts) const {
  const queue::Counters& core = core_.counters();
  const store::Usage usage = store_.usage();
  return Row{
      {"broker", std::string_view(texts.emplace_back(to_string(options_.broker_id)))},
      {"version", std::string_view(texts.emplace_back(options_.software))},
      {"epoch", integer(options_.epoch)},
      {"live_jobs", integer(core_.live_jobs())},
      {"accepted", integer(core.accepted)},
      {"duplicates", integer(core.duplicates)},
      {"dispatched", integer(core.dispatched)},
      {"completed", integer(core.completed)},
      {"retried", integer(core.retried)},
      {"lost", integer(core.lost)},
      {"stale", integer(core.stale)},
      {"gone", integer(core.gone)},
      {"released", integer(core.released)},
      {"reclaimed", integer(core.reclaimed)},
      {"expired", integer(core.expired)},
      {"cancelled", integer(core.cancelled)},
      {"clients", integer(sessions_.clients())},
      {"workers", integer(sessions_.workers())},
      {"waits", integer(waiters_.size())},
      {"bad_messages", integer(counters_.bad_messages)},
      {"commits", integer(counters_.commits)},
      {"committed_jobs", integer(counters_.committed_jobs)},
      {"commit_us", integer(counters_.commit_us)},
      {"store_bytes_written", integer(counters_.store_bytes_written)},
      {"store_file_bytes", integer(usage.file_bytes)},
      {"store_used_bytes", integer(usage.used_bytes)},
      {"finished_jobs", integer(usage.finished_jobs)},
      {"finished_bytes", integer(usage.finished_bytes)},
      {"forgotten_early", integer(counters_.forgotten_early)},
      {"uncommitted_bytes", integer(pipeline_.uncommitted_bytes())},
  };
}

void Engine::on_admin_command(Asked& asked, const wire::Admin& admin) {
  std::string_view queue = argument(admin, "queue");
  const bool is_pause = admin.verb == "pause";
  current_ = Current{};
  if (admin.verb == "purge" || admin.verb == "retry") return start_bulk(asked, admin);
  if (is_pause || admin.verb == "resume") {
    if (!is_valid_queue_name(queue)) {
      return refuse(asked, Code::bad_message,
                    std::string(admin.verb) + " needs the argument 'queue': 1 to 64 of A-Z a-z 0-9 . _ -");
    }
    effects_.clear();
    core_.apply(queue::Pause{asked.route, asked.request, queue, is_pause}, asked.now, effects_);
    process();
    return;
  }
  if (admin.verb == "drain") {
    const std::string_view worker = argument(admin, "worker");
    if (!is_valid_worker_name(worker)) {
      return refuse(asked, Code::bad_message, "drain needs the argument 'worker': the worker's name");
    }
    effects_.clear();
    core_.apply(queue::DrainWorker{asked.route, asked.request, worker}, asked.now, effects_);
    process();
    return;
  }
  refuse(asked, Code::bad_message,
         "unknown verb '" + std::string(admin.verb) +
             "'; allowed: queues, workers, stats, pause, resume, purge, retry, drain");
}

}  // namespace rota::server

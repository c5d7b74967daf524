#include "broker/server/notices.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "broker/server/brief_report.h"
#include "broker/server/translate.h"
#include "common/base/peer_limits.h"

namespace rota::server {
namespace {

// About what an item takes in a frame.
std::size_t size_of(const wire::NotifyItem& item, bool with_result) {
  const wire::Report& report = item.report;
  return 64 + report.error_message.size() + report.stderr_tail.size() + (with_result ? report.result.size() : 0);
}

}  // namespace

// --- what has to be told ------------------------------------------------------------------------------------------------

Notices::End Notices::end_of(const queue::OutcomeRecord& outcome, Durability durability, bool with_result,
                             std::size_t report_bytes) {
  End end;
  end.id = outcome.id;
  end.state = outcome.state;
  end.at_once = durability == Durability::memory;
  end.losses = outcome.losses;
  end.attempts = outcome.attempts;
  end.result_size = to_report(outcome.report).result.size();
  const bool is_carried = with_result && end.result_size <= limits::kMaxInlineResult &&
                          report_bytes + outcome.report.size() <= limits::kMaxUntoldReports;
  if (is_carried || end.result_size == 0) {
    end.report = outcome.report;
  } else {
    std::uint64_t left_out = 0;
    end.report = brief_report(outcome.report, left_out);
  }
  return end;
}

void Notices::job_ended(const queue::OutcomeRecord& outcome, Durability durability) {
  const Waiters::Taken taken = waiters_.take(outcome.id);
  if (taken.list == Waiters::kNobody) return;
  Line& line = taken.alone ? lone_ : crowded_;
  End& end = line.ends.emplace_back(end_of(outcome, durability, taken.with_result, line.report_bytes));
  end.waiters = taken.list;
  line.report_bytes += end.report.size();
}

void Notices::job_forgotten(const JobId& id, std::string_view reason, Durability durability) {
  const Waiters::Taken taken = waiters_.take(id);
  if (taken.list == Waiters::kNobody) return;
  End& end = (taken.alone ? lone_ : crowded_).ends.emplace_back();
  end.id = id;
  end.code = Code::not_found;
  end.reason = reason;
  end.at_once = durability == Durability::memory;
  end.waiters = taken.list;
}

void Notices::add(const Waiters::Waiter& waiter, const queue::OutcomeRecord& outcome, Durability durability) {
  add_for(waiter, end_of(outcome, durability, waiter.with_result, lone_.report_bytes));
}

void Notices::add_unknown(const Waiters::Waiter& waiter, const JobId& id, std::string_view reason, Durability durability) {
  End end;
  end.id = id;
  end.code = Code::not_found;
  end.reason = reason;
  end.at_once = durability == Durability::memory;
  add_for(waiter, std::move(end));
}

void Notices::add_for(const Waiters::Waiter& waiter, End end) {
  notices_.push_back(Notice{waiter, static_cast<std::uint32_t>(items_.size()), end.at_once});
  answers_.push_back(std::move(end));
  lone_.report_bytes += answers_.back().report.size();
  items_.push_back(item_of(answers_.back()));
}

wire::NotifyItem Notices::item_of(const End& end) {
  wire::NotifyItem item;
  item.id = end.id;
  item.code = end.code;
  item.message = end.reason;
  item.state = end.state;
  item.attempts = end.attempts;
  item.losses = end.losses;
  item.report = to_report(end.report);
  item.result_size = end.result_size;
  return item;
}

// --- a turn -------------------------------------------------------------------------------------------------------------

void Notices::begin_turn() { told_ = bytes_ = 0; }

bool Notices::may_tell(std::uint64_t released) const { return held_.behind(released) <= limits::kMaxHeldNotices; }

void Notices::gather(Line& line, std::size_t halves, const Sink& sink) {
  const auto is_full = [&] {
    return told_ >= limits::kTurnNotices / 2 * halves || bytes_ >= limits::kTurnNoticeBytes / 2 * halves;
  };
  while (line.done < line.ends.size() && !is_full()) {
    const End& end = line.ends[line.done];
    const auto item = static_cast<std::uint32_t>(items_.size());
    items_.push_back(item_of(end));
    Waiters::Waiter waiter;
    bool more = true;
    while (!is_full() && (more = waiters_.next(end.waiters, waiter))) {
      notices_.push_back(Notice{waiter, item, end.at_once});
      ++told_;
      // A result that will be left out costs nothing.
      bytes_ += size_of(items_[item], waiter.with_result && sink.open_bytes(waiter.client) <= limits::kMaxOpenNotices);
    }
    if (more) return;
    ++line.done;
  }
}

void Notices::drop_done(Line& line) {
  for (; line.done > 0; --line.done) {
    line.report_bytes -= line.ends.front().report.size();
    line.ends.pop_front();
  }
}

void Notices::flush(Sink& sink) {
  if (may_tell(sink.released())) {
    gather(lone_, 1, sink);
    gather(crowded_, 2, sink);
    gather(lone_, 2, sink);
  }
  const auto key = [](const Notice& notice) {
    return std::tuple(notice.waiter.client, notice.waiter.request, notice.at_once);
  };
  const auto before = [&key](const Notice& a, const Notice& b) { return key(a) < key(b); };
  if (!std::is_sorted(notices_.begin(), notices_.end(), before)) {
    std::stable_sort(notices_.begin(), notices_.end(), before);
  }
  std::size_t first = 0;
  while (first < notices_.size()) {
    std::size_t last = first + 1;
    while (last < notices_.size() && key(notices_[last]) == key(notices_[first])) ++last;
    flush_range(first, last, sink);
    first = last;
  }
  notices_.clear();
  items_.clear();
  for (const End& end : answers_) lone_.report_bytes -= end.report.size();
  answers_.clear();
  drop_done(lone_);
  drop_done(crowded_);
}

void Notices::flush_range(std::size_t first, std::size_t last, Sink& sink) {
  const Waiters::Waiter& waiter = notices_[first].waiter;
  std::size_t open = sink.open_bytes(waiter.client);
  std::size_t bytes = 0;
  const auto send = [&] {
    if (message_.items.empty()) return;
    frame_.clear();
    encode_notify(waiter.request, message_, frame_);
    const std::uint64_t batch = sink.send(waiter.client, frame_, notices_[first].at_once);
    if (batch != 0) held_.add(batch, frame_.size());
    open = sink.open_bytes(waiter.client);
    message_.items.clear();
    bytes = 0;
  };
  for (std::size_t i = first; i < last; ++i) {
    const wire::NotifyItem& told = items_[notices_[i].item];
    const std::size_t size = size_of(told, notices_[i].waiter.with_result);
    if (bytes + size > limits::kDispatchBytes || message_.items.size() >= limits::kMaxBatch) send();
    wire::NotifyItem& item = message_.items.emplace_back(told);
    const bool with_result = notices_[i].waiter.with_result && open + bytes + size <= limits::kMaxOpenNotices;
    if (!with_result) item.report.result = {};
    bytes += size_of(item, with_result);
  }
  send();
}

}  // namespace rota::server

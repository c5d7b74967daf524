#include "broker/server/notices.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "broker/server/translate.h"
#include "common/base/limits.h"

namespace rota::server {

void Notices::add(const Waiters::Waiter& waiter, const queue::OutcomeRecord& outcome, Durability durability) {
  Notice notice;
  notice.waiter = waiter;
  notice.at_once = durability == Durability::memory;
  notice.outcome = outcome;
  notice.outcome.report = {};
  notice.report_at = reports_.size();
  notice.report_size = outcome.report.size();
  reports_.append(outcome.report);
  notices_.push_back(notice);
}

void Notices::add_unknown(const Waiters::Waiter& waiter, const JobId& id, std::string_view reason, Durability durability) {
  Notice notice;
  notice.waiter = waiter;
  notice.at_once = durability == Durability::memory;
  notice.code = Code::not_found;
  notice.reason = reason;
  notice.outcome.id = id;
  notices_.push_back(notice);
}

void Notices::flush(const Sink& sink) {
  if (notices_.empty()) return;
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
  reports_.clear();
}

void Notices::flush_range(std::size_t first, std::size_t last, const Sink& sink) {
  const Waiters::Waiter& waiter = notices_[first].waiter;
  std::size_t bytes = 0;
  const auto send = [&] {
    if (message_.items.empty()) return;
    frame_.clear();
    encode_notify(waiter.request, message_, frame_);
    sink(waiter.client, frame_, notices_[first].at_once);
    message_.items.clear();
    bytes = 0;
  };
  for (std::size_t i = first; i < last; ++i) {
    Notice& notice = notices_[i];
    notice.outcome.report = std::string_view(reports_).substr(notice.report_at, notice.report_size);
    wire::NotifyItem item = to_notice(notice.outcome, notice.waiter.with_result);
    if (notice.code != Code::ok) {
      item.code = notice.code;
      item.message = notice.reason;
    }
    const std::size_t size = 64 + item.report.result.size() + item.report.stderr_tail.size();
    if (bytes + size > limits::kDispatchBytes || message_.items.size() >= limits::kMaxBatch) send();
    message_.items.push_back(item);
    bytes += size;
  }
  send();
}

}  // namespace rota::server

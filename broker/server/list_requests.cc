#include <deque>
#include <string>
#include <utility>

#include "broker/server/cursor.h"
#include "broker/server/engine.h"
#include "common/base/peer_limits.h"
#include "common/wire/codec.h"

// LIST: jobs by what they are, newest first.
namespace rota::server {
namespace {

constexpr std::size_t kJobBytes = 256;  // of a job in LISTED, beside its texts

// Bytes that the texts of a job take in an answer.
std::size_t size_of(const wire::JobInfo& info) {
  return kJobBytes + info.name.size() + info.key.size() + info.report.error_message.size() +
         info.report.stderr_tail.size() + info.progress_message.size() + info.waiting_for.size();
}

std::uint64_t mark_of(const queue::SurveyFilter& filter, Millis since) {
  return request_mark({filter.queue, filter.type, std::to_string(since.count())}, filter.states);
}

}  // namespace

void Engine::on_list(Asked& asked, const wire::List& list) {
  if (outbox_.unread(asked.side, asked.route) > limits::kMaxUnread) {
    return refuse(asked, Code::retry_later, "too many answers stand unread on this connection; read them, then ask again",
                  limits::kRetryLaterHint);
  }
  Listings::Filter filter;
  filter.jobs.queue = list.queue;
  filter.jobs.type = list.type;
  if (list.states != 0) filter.jobs.states = list.states;
  filter.jobs.most = list.limit;
  filter.ending = list.ending;
  if (!list.ending.empty()) filter.jobs.most = limits::kShortIdSearch;
  if (list.since.count() > 0) filter.jobs.since = core_.id_clock(asked.now) - list.since;
  filter.mark = mark_of(filter.jobs, list.since);
  if (!list.cursor.empty()) {
    const std::optional<Cursor> cursor = decode_cursor(list.cursor, filter.mark);
    if (!cursor) {
      ++counters_.bad_messages;
      return refuse(asked, Code::bad_message, "this cursor belongs to another list; ask again without it");
    }
    filter.jobs.below = cursor->below;
  }
  if (!listings_.start(asked.route, asked.request, std::move(filter), pipeline_, asked.now)) {
    refuse(asked, Code::retry_later, "too many lists are under way; try again", limits::kRetryLaterHint);
  }
}

void Engine::answer_lists(Now now) {
  while (const std::optional<Listings::Answer> answer = listings_.take_done()) answer_list(*answer, now);
}

void Engine::answer_list(const Listings::Answer& answer, Now now) {
  Peer* peer = sessions_.find(answer.client);
  if (peer == nullptr) return;
  const queue::SurveyFilter& filter = answer.filter.jobs;
  frame_.clear();
  if (answer.is_unknown_queue) {
    ++counters_.refusals[static_cast<std::size_t>(Code::not_found)];
    encode_error(answer.request, Code::not_found, "no such queue: the broker knows no job of it", Millis{0}, frame_);
    return reply(answer.client, *peer, false);
  }
  wire::Listed listed;
  std::deque<std::string> texts;  // what the views of the answer point into
  Cursor next;
  bool more = answer.more;
  next.below = answer.reached;
  std::size_t bytes = 0;
  for (const JobId& id : answer.ids) {
    wire::JobInfo info;
    if (!describe(id, answer.known.get(), now, false, texts, info)) continue;
    // It may have gone on since it was found.
    if ((filter.states & state_bit(info.state)) == 0) continue;
    bytes += size_of(info);
    if (bytes > limits::kListedBytes && !listed.jobs.empty()) {
      more = true;
      next.below = listed.jobs.back().id;
      break;
    }
    listed.jobs.push_back(info);
  }
  std::string cursor;
  if (more && answer.filter.ending.empty()) cursor = encode_cursor(next, answer.filter.mark);
  listed.cursor = cursor;
  encode_simple(answer.request, listed, frame_);
  reply(answer.client, *peer, false);
}

}  // namespace rota::server

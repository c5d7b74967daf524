#include <utility>

#include "broker/server/translate.h"
#include "common/wire/codec.h"

namespace rota::server {
namespace {

wire::ItemResult to_result(const queue::ItemReply& reply) {
  wire::ItemResult result;
  result.code = reply.code;
  result.state = reply.state;
  result.durability = reply.durability;
  result.id = reply.id;
  result.created_at = reply.created_at;
  result.run_at = reply.run_at;
  result.message = reply.reason;
  return result;
}

template <typename T>
std::span<const T> part(const std::vector<T>& all, queue::Range range) {
  return std::span<const T>(all).subspan(range.first, range.count);
}

std::vector<wire::TokenOf> to_tokens(const queue::Effects& effects, queue::Range range) {
  std::vector<wire::TokenOf> tokens;
  tokens.reserve(range.count);
  for (const queue::TokenOf& token : part(effects.tokens, range)) tokens.push_back({token.id, token.token});
  return tokens;
}

void assign(const queue::Effects& effects, queue::Range range, std::vector<Code>& to) {
  const auto codes = part(effects.codes, range);
  to.assign(codes.begin(), codes.end());
}

}  // namespace

void Outbound::encode(wire::Request request, wire::Body body, std::string& out) {
  wire::Message message;
  message.request = request;
  message.body = std::move(body);
  wire::encode(message, out);
}

void Outbound::submitted(const queue::ItemReplies& replies, const queue::Effects& effects, std::span<const JobId> asked,
                         std::string& out) {
  wire::Submitted submitted;
  submitted.items.reserve(replies.items.count);
  const auto items = part(effects.item_replies, replies.items);
  for (std::size_t i = 0; i < items.size(); ++i) {
    wire::ItemResult result = to_result(items[i]);
    result.plain = result.code == Code::ok && result.state == JobState::ready && i < asked.size() && result.id == asked[i];
    if (result.code == Code::retry_later || result.code == Code::store_full)
      submitted.retry_after = limits::kRetryLaterHint;
    submitted.items.push_back(result);
  }
  encode(replies.request, std::move(submitted), out);
}

void Outbound::results(const queue::ItemReplies& replies, const queue::Effects& effects, std::string& out) {
  wire::Results results;
  results.items.reserve(replies.items.count);
  for (const queue::ItemReply& reply : part(effects.item_replies, replies.items)) results.items.push_back(to_result(reply));
  encode(replies.request, std::move(results), out);
}

void Outbound::completed(const queue::CompleteReply& reply, const queue::Effects& effects, std::string& out) {
  wire::Completed completed;
  assign(effects, reply.codes, completed.codes);
  encode(reply.request, std::move(completed), out);
}

void Outbound::reclaim(const queue::ReclaimRequest& request, const queue::Effects& effects, std::string& out) {
  encode(0, wire::Reclaim{to_tokens(effects, request.tokens)}, out);
}

void Outbound::cancel_jobs(const queue::CancelRequest& request, const queue::Effects& effects, std::string& out) {
  encode(0, wire::CancelJobs{to_tokens(effects, request.tokens)}, out);
}

void Outbound::welcome(const queue::WorkerWelcomed& answer, const queue::Effects& effects, wire::Welcome welcome,
                       wire::Request request, std::string& out) {
  assign(effects, answer.started, welcome.started);
  assign(effects, answer.held, welcome.held);
  assign(effects, answer.finished, welcome.finished);
  encode(request, std::move(welcome), out);
}

void encode_error(wire::Request request, Code code, std::string_view text, Millis retry_after, std::string& out) {
  wire::Message message;
  message.request = request;
  message.body = wire::ErrorReply{code, text, retry_after};
  wire::encode(message, out);
}

void encode_simple(wire::Request request, const wire::Body& body, std::string& out) {
  wire::Message message;
  message.request = request;
  message.body = body;
  wire::encode(message, out);
}

void encode_notify(wire::Request request, wire::Notify& notify, std::string& out) {
  wire::Message message;
  message.request = request;
  message.body = std::move(notify);
  wire::encode(message, out);
  notify = std::move(std::get<wire::Notify>(message.body));
}

// Damage is found by the store's checksum before; what is left is a report of no words.
wire::Report to_report(std::string_view bytes) {
  if (bytes.empty()) return {};
  Result<wire::Report> report = wire::decode_report(bytes);
  return report.ok() ? std::move(report).value() : wire::Report{};
}

bool explain_end(const queue::OutcomeRecord& outcome, std::string& out) {
  const bool tells_itself = outcome.reason == queue::EndReason::completed || outcome.reason == queue::EndReason::cancelled;
  if (tells_itself && !outcome.report.empty()) return false;
  wire::Report report = to_report(outcome.report);  // of the last attempt, if one reported
  std::string text;
  switch (outcome.reason) {
    case queue::EndReason::completed:
      break;
    case queue::EndReason::losses_spent:
      report.error_code = "LOSSES_SPENT";
      text = "its worker was lost " + std::to_string(outcome.losses) + (outcome.losses == 1 ? " time" : " times") +
             ", oftener than the job allows: it may be what ends its workers";
      break;
    case queue::EndReason::expired:
      report.error_code = "EXPIRED";
      text = "it was not started before it expired";
      break;
    case queue::EndReason::cancelled:
      report.error_code = "CANCELLED";
      text = outcome.attempts == 0 ? "it was cancelled before it ran" : "it was cancelled";
      break;
  }
  if (!text.empty()) report.error_message = text;
  wire::encode_report(report, out);
  return true;
}

wire::JobInfo to_info(const queue::JobView& view) {
  wire::JobInfo info;
  info.id = view.id;
  info.queue = view.queue;
  info.type = view.type;
  info.key = view.key;
  info.state = view.state;
  info.cancel_requested = view.cancel_requested;
  info.priority = view.priority;
  info.attempts = view.attempts;
  info.losses = view.losses;
  info.retries = view.policy.retries;
  info.durability = view.policy.durability;
  info.created_at = view.created_at;
  info.run_at = view.run_at;
  info.started_at = view.started_at;
  info.report.worker = view.worker;
  return info;
}

wire::JobInfo to_info(const queue::FinishedJob& job, bool with_result) {
  wire::JobInfo info;
  info.id = job.job.id;
  info.key = job.job.key;
  info.priority = job.job.priority;
  info.created_at = job.job.created_at;
  info.run_at = job.job.run_at;
  if (job.job.shared != nullptr) {
    info.queue = job.job.shared->queue;
    info.type = job.job.shared->type;
    info.retries = job.job.shared->policy.retries;
    info.durability = job.job.shared->policy.durability;
  }
  info.state = job.outcome.state;
  info.attempts = job.outcome.attempts;
  info.losses = job.outcome.losses;
  info.started_at = job.outcome.started_at;
  info.finished_at = job.outcome.finished_at;
  info.report = to_report(job.outcome.report);
  info.result_size = info.report.result.size();
  if (!with_result) info.report.result = {};
  return info;
}

wire::JobInfo no_such_job(const JobId& id) {
  wire::JobInfo info;
  info.id = id;
  info.code = Code::not_found;
  info.message = kNoSuchJob;
  return info;
}

}  // namespace rota::server

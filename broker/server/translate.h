#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "broker/queue/command.h"
#include "broker/queue/core.h"
#include "broker/queue/message.h"
#include "broker/server/outbox.h"
#include "common/wire/message.h"

// The one place that knows both the protocol's words and the core's.
namespace rota::server {

// From the wire to the core. The command that a call returns lives, views and all, until the next call of the same
// translator, and as long as the message's frame. Scratch space is kept: nothing is allocated per item. One thread.
class Inbound {
 public:
  using Found = std::span<const queue::FinishedJob>;

  [[nodiscard]] const queue::Submit& submit(const wire::Submit& message, Route client, wire::Request request, Found found);
  [[nodiscard]] queue::Cancel cancel(const wire::Cancel& message, Route client, wire::Request request, Found found);
  [[nodiscard]] const queue::Retry& retry(const wire::Retry& message, Route client, wire::Request request, Found found,
                                          std::span<const JobId> dropped);
  [[nodiscard]] const queue::WorkerHello& hello(const wire::Hello& message, Route route, Found found);
  // Each of `jobs` again, as it was found.
  [[nodiscard]] const queue::Retry& retry_all(Found jobs, Route client, wire::Request request);
  // `worker` is put into every report.
  [[nodiscard]] const queue::Complete& complete(const wire::Complete& message, queue::SessionRef session,
                                                std::string_view worker, wire::Request request, Found found);
  [[nodiscard]] const queue::Released& released(const wire::Released& message, queue::SessionRef session);

 private:
  struct Slice {
    std::size_t at = 0, size = 0;
  };
  [[nodiscard]] std::string_view view(Slice slice) const { return std::string_view(bytes_).substr(slice.at, slice.size); }

  std::string bytes_;
  std::vector<Slice> slices_;
  std::vector<std::uint64_t> hashes_;
  std::vector<queue::SubmitShared> shared_;
  std::vector<queue::SubmitItem> items_;
  queue::Submit submit_;
  std::vector<queue::RetryItem> retries_;
  queue::Retry retry_;
  std::vector<queue::ServedQueue> queues_;
  std::vector<queue::TokenOf> started_, held_, finished_, tokens_;
  queue::WorkerHello hello_;
  std::vector<queue::CompletionItem> completions_;
  queue::Complete complete_;
  queue::Released released_;
};

[[nodiscard]] queue::Policy to_policy(const wire::JobOptions& options);

// From the core to the wire. Appends the frame to `out`. Scratch space is kept. One thread.
class Outbound {
 public:
  // `asked`: the ids of the request, in order; an accepted job under its own id costs one byte.
  void submitted(const queue::ItemReplies& replies, const queue::Effects& effects, std::span<const JobId> asked,
                 std::string& out);
  void results(const queue::ItemReplies& replies, const queue::Effects& effects, std::string& out);
  void completed(const queue::CompleteReply& reply, const queue::Effects& effects, std::string& out);
  void reclaim(const queue::ReclaimRequest& request, const queue::Effects& effects, std::string& out);
  void cancel_jobs(const queue::CancelRequest& request, const queue::Effects& effects, std::string& out);
  // `welcome` holds everything but the answers to the HELLO's tokens.
  void welcome(const queue::WorkerWelcomed& answer, const queue::Effects& effects, wire::Welcome welcome,
               wire::Request request, std::string& out);

 private:
  void encode(wire::Request request, wire::Body body, std::string& out);
};

// A frame of a message that says all by itself.
void encode_error(wire::Request request, Code code, std::string_view text, Millis retry_after, std::string& out);
void encode_simple(wire::Request request, const wire::Body& body, std::string& out);
// Leaves `notify` as it was, its capacity included.
void encode_notify(wire::Request request, wire::Notify& notify, std::string& out);

// Appends the report of a job that the core ended itself, worded for people. False: the worker's own report stands.
[[nodiscard]] bool explain_end(const queue::OutcomeRecord& outcome, std::string& out);

// A job as GET answers it.
[[nodiscard]] wire::JobInfo to_info(const queue::JobView& view);
// Views into `job`.
[[nodiscard]] wire::JobInfo to_info(const queue::FinishedJob& job, bool with_result);
// The report that a record holds; its views point into `bytes`.
[[nodiscard]] wire::Report to_report(std::string_view bytes);
[[nodiscard]] wire::JobInfo no_such_job(const JobId& id);
// Why nothing is known of it: a reason people can use.
inline constexpr std::string_view kNoSuchJob =
    "no such job: it was never accepted, its keep is over, or it was a memory job and the broker restarted";

}  // namespace rota::server

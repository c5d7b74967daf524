#pragma once

#include <functional>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "client/connection.h"
#include "client/job_request.h"
#include "client/watch_list.h"

namespace rota::client {

using SubmitSink = std::function<void(const SubmitResult&)>;

struct SubmitterOptions {
  std::size_t batch = limits::kClientBatch;
  std::size_t batch_bytes = limits::kClientBatchBytes;
};

// Gathers jobs into SUBMITs, keeps several in flight, sends again what was refused for now, and reports each job's
// acceptance or refusal exactly once.
class Submitter {
 public:
  Submitter(Connection& connection, WatchList& watched, const SubmitterOptions& options);

  // Whose jobs they are; one SUBMIT holds jobs of one party only.
  struct Party {
    const SubmitSink* sink = nullptr;   // outlives the submits
    const FinalSink* notify = nullptr;  // null: no notice of the end
    Steady deadline;                    // of the batch that this job opens
  };
  // Takes a checked job into the gathered batch; sends the batch when it is full. The id must be set.
  void add(const JobTemplate& shared, const JobItem& item, Ticket ticket, const Party& party);
  void send_gathered();
  [[nodiscard]] std::size_t gathered() const { return items_.size(); }
  // Jobs without an answer, gathered ones included.
  [[nodiscard]] std::size_t unacknowledged() const { return unacknowledged_; }

  // Whether the message answers one of these submits.
  bool on_message(const wire::Message& message);
  bool on_expired(wire::Request request);
  void add_open_ids(IdSet& into) const;
  // Drops everything of this sink, gathered or in flight, unreported; nothing of it is sent again.
  void abandon(const SubmitSink* sink);

 private:
  struct Gathered {
    std::uint32_t shared = 0;
    JobId id;
    wire::Selector::Kind kind = wire::Selector::Kind::none;
    std::int64_t index = 0;
    std::size_t line_size = 0, payload_size = 0, key_size = 0;  // in this order in bytes_
    Ticket ticket = 0;
  };
  struct Pending {
    Party party;
    std::vector<JobId> ids;
    std::vector<Ticket> tickets;
    Steady resend_until;
    std::uint32_t refusals = 0;
    std::optional<Error> refusal;  // the last one that was for now
  };

  [[nodiscard]] std::uint32_t shared_index(const JobTemplate& shared);
  void fill(wire::Submit& submit, Pending& pending);
  void on_submitted(wire::Request request, const wire::Submitted& answer);
  void on_error(wire::Request request, const wire::ErrorReply& answer);
  void report(const Pending& pending, std::size_t index, const wire::ItemResult& item);
  void fail(const Pending& pending, Code code, std::string_view message);
  void submit_again(wire::Request request, Pending&& pending, const std::vector<std::size_t>& indexes, Millis hint);
  void finish(wire::Request request);

  Connection& connection_;
  WatchList& watched_;
  SubmitterOptions options_;
  wire::Decoder decoder_;
  std::unordered_map<wire::Request, Pending> pending_;
  std::size_t unacknowledged_ = 0;

  // The batch being gathered.
  Party party_;
  std::vector<JobTemplate> shared_;
  std::vector<Gathered> items_;
  std::string bytes_;
  wire::Message message_;  // kept for its storage
};

}  // namespace rota::client

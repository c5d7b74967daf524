#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "client/job.h"
#include "client/job_request.h"
#include "common/base/limits.h"
#include "common/base/result.h"

namespace rota::net {
class Context;
}

namespace rota::client {

struct ClientOptions {
  std::string endpoint = "tcp://127.0.0.1:5555";  // the broker's, for clients
  Millis timeout = limits::kDefaultTimeout;       // of each request, repetitions included
  std::string software = "rota-client";           // told to the broker, for its operator

  // Gathering of asynchronous submits: jobs and bytes in one message at most, jobs unacknowledged at most.
  std::size_t batch = limits::kClientBatch;
  std::size_t batch_bytes = limits::kClientBatchBytes;
  std::size_t window = limits::kClientWindow;

  // When readable, a blocking call ends with CANCELLED (a signalfd, say). The client does not read from it. -1: none.
  int wake_fd = -1;
  // Share one context among the clients of a process; null: the client makes its own. Must outlive the client.
  net::Context* context = nullptr;

  // Called from within the client's calls.
  std::function<void(const std::string& reason)> on_contact_lost;
  std::function<void()> on_contact_back;
};

// A client of one broker. Blocking, without a hidden thread: everything (sending, receiving, repeating, pings) happens
// inside its calls, so a client that is left alone for long does nothing until the next call. One thread at a time.
//
// Every request is repeated until it is answered or its time is over, across lost connections and broker restarts; job ids
// make that safe, because a repeated submit is the same job. Errors are values: TIMED_OUT where no answer came in time,
// CANCELLED where `wake_fd` ended the call, otherwise the broker's code and sentence.
//
// Callbacks must not call the client that calls them.
class Client {
 public:
  // Connects and waits for the broker's WELCOME, at most `options.timeout`. TIMED_OUT: nobody answered there.
  [[nodiscard]] static Result<Client> connect(ClientOptions options);
  // Says goodbye. What was sent gets up to a second to leave; what was only gathered is dropped: flush() first.
  ~Client();
  Client(Client&&) noexcept;
  Client& operator=(Client&&) noexcept;

  // A new id for a job of this queue, on the broker's clock.
  [[nodiscard]] JobId make_id(std::string_view queue);

  // --- submitting
  // Returns when the broker has acknowledged: as durable as asked for. Refusals for now (RETRY_LATER, STORE_FULL,
  // SHUTTING_DOWN) are repeated until the timeout.
  [[nodiscard]] Result<Submission> submit(const JobRequest& job);
  // The same for several at once, in batches; one result a job, in order.
  [[nodiscard]] std::vector<Result<Submission>> submit_many(std::span<const JobRequest> jobs);
  // submit(), and on_final is called (from poll() or wait()) when the job is final.
  [[nodiscard]] Result<Submission> submit_and_notify(const JobRequest& job);

  // Queues a submit and returns; jobs are gathered into messages, which leave when they are full or when the caller stops
  // to wait (flush, poll, wait or any blocking call). Blocks only while `window` jobs, or limits::kClientWindowBytes of
  // messages, are unacknowledged. `notify`: as submit_and_notify. Errors: the job breaks a rule (nothing was queued), or
  // CANCELLED.
  [[nodiscard]] Result<Ticket> submit_async(const JobTemplate& shared, const JobItem& item, bool notify = false);
  [[nodiscard]] Result<Ticket> submit_async(const JobRequest& job, bool notify = false);
  struct Flushed {
    std::uint64_t accepted = 0;  // duplicates included
    std::uint64_t duplicates = 0;
    std::uint64_t refused = 0;
    std::optional<Error> first_refusal;
  };
  // Sends what is gathered and waits until every asynchronous submit is answered. Counts since the last flush().
  [[nodiscard]] Result<Flushed> flush();
  // Gives up the asynchronous submits that are not answered: none is sent again, reported or watched. What was sent may
  // have been accepted all the same: cancel() tells, by the ids that the caller gave.
  void drop_unacknowledged();
  // Called for each asynchronous submit, in the order of the answers.
  void on_submitted(std::function<void(const SubmitResult&)> sink);
  [[nodiscard]] std::size_t unacknowledged() const;

  // --- waiting
  // Called for each watched job once, when it is final. Waits of wait() have their own callback.
  void on_final(std::function<void(const FinishedJob&)> sink);
  // Asks to be told when these are final. TOO_LARGE beyond limits::kMaxWaits.
  [[nodiscard]] Status watch(std::span<const JobId> ids, bool with_result = false);
  [[nodiscard]] std::size_t watching() const;
  // Sends what is gathered, then handles what arrives: returns as soon as something was, or after `most` (negative: no
  // limit). The number of messages handled.
  [[nodiscard]] Result<std::size_t> poll(Millis most);
  // Blocks until all are final (`most` negative: no limit). TIMED_OUT says how many are not.
  [[nodiscard]] Status wait(std::span<const JobId> ids, Millis most, bool with_result,
                            const std::function<void(const FinishedJob&)>& on_final);

  // --- asking
  [[nodiscard]] Result<std::vector<Job>> get(std::span<const JobId> ids, bool with_result = false);
  // One outcome an id, in order. A running job stops later: wait() for it.
  [[nodiscard]] Result<std::vector<ItemOutcome>> cancel(std::span<const JobId> ids);
  // Final jobs back to ready. Looks at each first and names the attempts it saw, so that asking again after a lost answer
  // never retries twice; CONFLICT if a job is not final, or ran on between.
  [[nodiscard]] Result<std::vector<ItemOutcome>> retry(std::span<const JobId> ids);
  // Jobs by filter, newest first: what one look of the broker finds, at most `limit` (1 … limits::kMaxListJobs). It looks
  // at a bounded number of records, so the page may be short, even empty, and yet there are more: ask on with its cursor,
  // and the same filter, until that is empty. NOT_FOUND: no such queue. BAD_MESSAGE: the cursor is of another list.
  [[nodiscard]] Result<JobPage> list_page(const JobFilter& filter, std::uint32_t limit = limits::kDefaultListJobs,
                                          std::string_view cursor = {});
  // The same, asking on by itself until there are `limit` jobs (any number) or no more. Each request has its own timeout.
  [[nodiscard]] Result<JobPage> list(const JobFilter& filter, std::size_t limit = limits::kDefaultListJobs,
                                     std::string_view cursor = {});
  // The newest jobs, at most `limit`, whose id ends in `ending`: limits::kMinEnding to 32 lower-case hex digits without
  // dashes. Only the newest limits::kShortIdSearch jobs are looked at. One job: the ending is unique.
  [[nodiscard]] Result<std::vector<Job>> find_by_ending(std::string_view ending, std::uint32_t limit = 2);

  // Called after each slice with what is done so far; false ends the command there.
  using BulkSink = std::function<bool(const BulkProgress& so_far)>;
  // Forgets the jobs of a queue that are in one of `states` (state_bit(); 0: all but running); running ones are left alone.
  // The broker does it in slices, each a request with its own timeout. Jobs submitted after the first slice are left.
  // NOT_FOUND: no such queue. After any other error what `on_slice` was told is done, and perhaps one slice more.
  [[nodiscard]] Result<BulkProgress> purge(std::string_view queue, std::uint32_t states = 0, const BulkSink& on_slice = {});
  // Puts the final jobs of a queue that are in one of `states` (0: failed) back to ready, in the same way. One that failed
  // again after the first slice is left.
  [[nodiscard]] Result<BulkProgress> retry_queue(std::string_view queue, std::uint32_t states = 0,
                                                 const BulkSink& on_slice = {});

  // Administration: "queues", "workers", "stats", "pause" …; arguments and rows as docs/protocol.md lists them.
  [[nodiscard]] Result<std::vector<AdminRow>> admin(std::string_view verb, const std::vector<StringPair>& arguments = {});
  // Round-trip time in microseconds.
  [[nodiscard]] Result<std::int64_t> ping();

  [[nodiscard]] bool in_contact() const;
  [[nodiscard]] const std::string& endpoint() const;
  // The endpoint for workers that the broker advertises, as reachable from here; empty if unknown.
  [[nodiscard]] std::string workers_endpoint() const;

  class State;  // the library's own

 private:
  explicit Client(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace rota::client

#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>

#include "client/client.h"
#include "client/connection.h"
#include "client/submitter.h"
#include "client/watch_list.h"
#include "common/net/socket.h"

namespace rota::client {

// What the broker says about a job, as the caller's own.
[[nodiscard]] Job job_of(const wire::JobInfo& info);
// An answer that does not fit its request.
[[nodiscard]] Error wrong_answer();

// Joins the connection with what is asked over it. Internal to the library.
class Client::State : public ConnectionHandler {
 public:
  State(ClientOptions options, std::unique_ptr<net::Context> own_context);

  // ConnectionHandler
  void on_message(const wire::Message& message) override;
  void on_expired(wire::Request request) override;
  void on_resumed() override;
  void on_contact(bool back, const std::string& reason) override;

  // One turn of the connection. CANCELLED when wake_fd is readable.
  [[nodiscard]] Result<std::size_t> turn(Steady until);
  // Turns until done() or `until`. False: the time is over.
  [[nodiscard]] Result<bool> run(const std::function<bool()>& done, Steady until);
  // Asks and waits for the answer; the body's views die when `on_answer` returns.
  [[nodiscard]] Status call(wire::Message& message, const std::function<void(const wire::Message&)>& on_answer);
  [[nodiscard]] Steady deadline() { return connection.refresh() + options.timeout; }
  [[nodiscard]] Error no_answer() const;
  // Submits for one caller that waits for the answers. Tickets count from 0 over `jobs`.
  [[nodiscard]] Status submit_now(std::span<const JobRequest> jobs, bool notify, const SubmitSink& sink);
  // Checks the job as far as that can be done here.
  [[nodiscard]] Status check_job(const JobTemplate& shared, const JobItem& item);
  void count(const SubmitResult& result);

  // One asynchronous request at a time.
  struct Call {
    const std::function<void(const wire::Message&)>* on_answer = nullptr;
    std::optional<Error> error;
    std::optional<Error> refusal;
    std::uint32_t refusals = 0;
    bool done = false;
  };

  ClientOptions options;
  std::unique_ptr<net::Context> own_context;
  Connection connection;
  WatchList watched;
  Submitter submitter;
  std::unordered_map<wire::Request, Call*> calls;
  Prng random;

  SubmitSink async_sink;  // counts, then passes on to user_submitted
  SubmitSink user_submitted;
  FinalSink user_final;
  Flushed flushed;
  Ticket next_ticket = 0;
  JobTemplate checked;  // the last one that check() passed
  bool any_checked = false;
  std::string slot_queue{kDefaultQueue};
  Slot slot = slot_of_queue(kDefaultQueue);
};

}  // namespace rota::client

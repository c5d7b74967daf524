#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "common/base/job_id.h"
#include "common/net/socket.h"
#include "common/wire/codec.h"

namespace rota::client {

// A broker of one queue in a thread, which speaks the real protocol over a real socket and misbehaves on request. Jobs
// end when the test says so, or at once.
class FakeBroker {
 public:
  FakeBroker();
  ~FakeBroker();
  FakeBroker(const FakeBroker&) = delete;
  FakeBroker& operator=(const FakeBroker&) = delete;

  [[nodiscard]] const std::string& endpoint() const { return endpoint_; }
  // Ends, forgetting sessions and waits as a killed process would; jobs stay known.
  void stop();
  // Serves again, at the same endpoint.
  void start();

  // Each takes effect from the next message on.
  std::atomic<int> lose_answers{0};     // so many SUBMITs are obeyed and not answered
  std::atomic<int> refuse_items{0};     // so many SUBMITs get every second item refused for now
  std::atomic<int> refuse_messages{0};  // so many requests of any kind are refused whole, for now
  std::atomic<int> send_garbage{0};     // before so many answers
  std::atomic<bool> silent{false};      // takes everything, says nothing
  std::atomic<bool> finish_at_once{true};
  std::atomic<bool> store_full{false};
  std::atomic<Code> hello_refusal{Code::ok};
  std::atomic<std::size_t> look_at{1000};  // jobs that one LIST, and one slice of a bulk command, looks at
  std::atomic<bool> stuck{false};          // bulk commands stay where they are
  std::atomic<int> lose_admin_answers{0};  // so many ADMINs are obeyed and not answered

  void finish(const JobId& id);
  // Tells the oldest waiter alone that the job has failed, without the result; the job goes on.
  void tell_oldest_failed(const JobId& id);
  [[nodiscard]] std::size_t jobs() const;
  // Makes a job known: final or not.
  void add(const JobId& id, bool is_final);
  [[nodiscard]] int lists() const { return lists_; }
  [[nodiscard]] int admins() const { return admins_; }
  [[nodiscard]] int hellos() const { return hellos_; }
  [[nodiscard]] int goodbyes() const { return goodbyes_; }
  [[nodiscard]] int submits() const { return submits_; }
  [[nodiscard]] int waits() const { return waits_; }
  [[nodiscard]] int cancels() const { return cancels_; }
  // Blocks until `count` SUBMITs arrived.
  void await_submits(int count);
  void await_waits(int count);
  void await_goodbyes(int count);

 private:
  struct Waiter {
    net::RoutingId client;
    wire::Request request = 0;
    bool with_result = false;
  };
  void serve();
  void handle(const net::RoutingId& from, const wire::Message& message);
  void on_hello(const net::RoutingId& from, wire::Request request);
  void on_submit(const net::RoutingId& from, wire::Request request, const wire::Submit& submit);
  void on_get(const net::RoutingId& from, wire::Request request, const wire::Get& get);
  void on_list(const net::RoutingId& from, wire::Request request, const wire::List& list);
  void on_admin(const net::RoutingId& from, wire::Request request, const wire::Admin& admin);
  void wait_for(const net::RoutingId& from, wire::Request request, const std::vector<JobId>& ids, bool with_result);
  void notify_finished();
  void answer(const net::RoutingId& to, wire::Request request, wire::Body body);
  void refuse(const net::RoutingId& to, wire::Request request, Code code, Millis hint = Millis{0});

  net::Context context_;
  std::string endpoint_;
  std::optional<net::Router> router_;
  wire::Decoder decoder_;
  std::jthread thread_;
  std::atomic<bool> stopping_{false};

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::map<JobId, bool> known_;  // whether final
  std::vector<JobId> to_finish_, to_fail_;
  std::set<net::RoutingId> sessions_;
  std::multimap<JobId, Waiter> waiters_;
  std::atomic<int> hellos_{0}, goodbyes_{0}, submits_{0}, waits_{0}, cancels_{0}, lists_{0}, admins_{0};
};

}  // namespace rota::client

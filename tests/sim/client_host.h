#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "client/request_table.h"
#include "common/wire/codec.h"
#include "tests/sim/auditor.h"
#include "tests/sim/dice.h"
#include "tests/sim/network.h"
#include "tests/sim/weather.h"

namespace rota::sim {

// What clients know of jobs between them: something to wait for, cancel, retry or submit again.
struct Catalogue {
  struct Known {
    Ask ask;
    bool acked = false;
    std::optional<std::uint32_t> attempts;  // as last read
  };
  std::vector<Known> jobs;
  std::map<JobId, std::size_t> places;

  [[nodiscard]] Known* find(const JobId& id) {
    const auto at = places.find(id);
    return at == places.end() ? nullptr : &jobs[at->second];
  }
};

// A client's host: the real request table between the simulated network and wishes that come by chance.
class ClientHost {
 public:
  struct Parts {
    Timeline& timeline;
    Trace& trace;
    Network& network;
    Auditor& auditor;
    const Weather& weather;
    Catalogue& catalogue;
  };
  ClientHost(const Parts& parts, std::string name, Dice dice);
  ~ClientHost();

  void start();
  void crash(Millis down_for);
  // Its process stands still, and goes on.
  void stall(Millis how_long);
  void calm();  // a stall is over: what it still says comes before the queues are resumed for good
  // Says goodbye and stops.
  void leave(Millis down_for);
  // Something new that it wants, by chance.
  void act();
  void get(const std::vector<JobId>& ids);
  void resume_all();
  [[nodiscard]] bool is_idle() const;
  [[nodiscard]] std::string what_is_open();
  [[nodiscard]] const std::string& name() const { return name_; }

 private:
  struct Open {
    std::string frame;
    bool is_submit = false;
    bool notify = false;
    std::vector<JobId> ids;
    std::uint32_t refusals = 0;
    // LIST, and purge and retry of a queue: what they go on with.
    std::string verb, queue, type;
    std::uint32_t states = 0, limit = 0, pages = 0;
  };
  struct Process;

  void wake(Millis in);
  void turn();
  void do_what_is_due(Steady now);
  void open_socket(Steady now);
  void say_hello(Steady now);
  void transmit(const std::string& frame);
  void receive(const std::string& frame, Steady now);
  void handle(const wire::Message& message, Steady now);
  void on_error(const wire::ErrorReply& error, wire::Request request, Steady now);
  void on_submitted(wire::Request request, const wire::Submitted& answer);
  void on_notify(const wire::Notify& notify);
  void on_jobs(const wire::Jobs& jobs);
  void on_listed(wire::Request request, const wire::Listed& listed);
  void on_admin(wire::Request request, const wire::AdminReply& reply);
  void send_waits();
  void wait_for(const std::vector<JobId>& ids);

  wire::Request post(wire::Message& message, std::vector<JobId> ids, bool is_submit, bool notify);
  void submit_new();
  void submit_again(bool other_content);
  void submit(const std::vector<Ask>& asks, bool notify);
  [[nodiscard]] wire::JobOptions draw_options(std::string& key_prefix);
  [[nodiscard]] std::optional<std::size_t> any_known();
  void admin(std::string_view verb, std::string_view queue);
  void bulk(const std::string& verb, const std::string& queue, std::string_view through, std::string_view cursor);
  void list(const Open& what, std::string_view cursor);
  void list_something();
  void drain_any();
  void retry();

  Parts parts_;
  std::string name_;
  Dice dice_;
  std::unique_ptr<Process> process_;
  std::uint64_t processes_ = 0;
  std::uint64_t payloads_ = 0;
  Steady stalled_until_;
};

}  // namespace rota::sim

#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "tests/scenario/store_model.h"

namespace rota::scenario {

// One line of a script: a verb, plain words, and name=value options.
struct Line {
  std::string verb;
  std::vector<std::string> words;
  std::map<std::string, std::string> options;

  [[nodiscard]] bool has(const std::string& name) const { return options.count(name) != 0; }
  [[nodiscard]] std::string text(const std::string& name, const std::string& otherwise = {}) const;
  [[nodiscard]] std::uint64_t number(const std::string& name, std::uint64_t otherwise) const;
  [[nodiscard]] Millis duration(const std::string& name, Millis otherwise) const;
};
[[nodiscard]] Line parse_line(const std::string& line);

// A core under a script's control: job and worker names instead of ids, a clock that the script moves, a store in memory.
// Says in text what the core decided. Checks the core's invariants after every step.
class Script {
 public:
  Script();
  // Runs the lines of one step, then tick() unless a line was "no-tick"; what came out, a line each.
  [[nodiscard]] std::string step(const std::vector<std::string>& lines);

 private:
  void run(const Line& line);
  void options(const Line& line);
  void submit(const Line& line);
  void hello(const Line& line);
  void complete(const Line& line);
  void renew(const Line& line);
  void release(const Line& line);
  void goodbye(const Line& line);
  void unreachable(const Line& line);
  void fill(const Line& line);
  void cancel(const Line& line);
  void retry(const Line& line);
  void purge(const Line& line);
  void forget(const Line& line);
  void pause(const Line& line);
  void drain(const Line& line);
  void restart();
  void advance(Millis by, bool stall);
  void show(const Line& line);
  void show_queues();
  void show_workers();

  // Prints what is new in effects_, and gives the changes to the store.
  void take();
  void let_leave();
  void print(const queue::Change& change);
  void print(const queue::Message& message);
  void print_replies(const queue::ItemReplies& replies);
  void print_welcome(const queue::WorkerWelcomed& welcome);
  void print_dispatch(const queue::Dispatch& dispatch);
  void print_tokens(std::string_view what, queue::SessionRef session, queue::Range tokens);
  [[nodiscard]] std::string codes(queue::Range range) const;

  JobId id_of(const std::string& name, const Line& line);
  [[nodiscard]] queue::TokenOf token_of(const std::string& word, const Line& line);
  [[nodiscard]] std::string job_name(const JobId& id) const;
  [[nodiscard]] std::string job_name(queue::Sequence sequence) const;
  [[nodiscard]] std::string worker_name(queue::SessionRef session) const;
  [[nodiscard]] std::vector<queue::FinishedJob> look_up(const std::vector<JobId>& ids) const;
  void say(const std::string& text) { output_ += text + "\n"; }

  queue::CoreOptions core_options_;
  Now now_{Steady{100'000}, Wall{1'700'000'000'000}};
  StoreModel store_;
  queue::Core core_;
  queue::Effects effects_;
  Prng ids_{7};
  std::map<std::string, JobId> jobs_;
  std::map<JobId, std::string> job_names_;
  std::map<queue::Sequence, std::string> sequences_;
  std::map<JobId, Token> tokens_;  // of the last dispatch
  struct Worker {
    Uuid uuid;
    std::uint64_t connection = 0;
    queue::SessionRef session = queue::kNoSession;
    std::uint64_t route = 0;
    std::uint32_t credit = 1;
    std::uint64_t started_through = 0;
  };
  std::map<std::string, Worker> workers_;
  std::uint64_t routes_ = 0;
  std::map<queue::SessionRef, std::string> sessions_;
  std::map<std::uint64_t, std::string> route_names_;
  std::string output_;
  bool tick_ = true;
  // Dispatches that wait for the disk.
  struct Waiting {
    queue::SessionRef session = queue::kNoSession;
    std::uint64_t through = 0;
    bool in_memory = false;
  };
  std::vector<Waiting> waiting_;
  bool disk_is_slow_ = false;
};

}  // namespace rota::scenario

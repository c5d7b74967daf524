#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "common/wire/codec.h"
#include "tests/sim/auditor.h"
#include "tests/sim/dice.h"
#include "tests/sim/network.h"
#include "tests/sim/saboteur.h"
#include "tests/sim/weather.h"
#include "worker/core.h"

namespace rota::sim {

// A worker's host: the real worker core between the simulated network and runs that last and end as chance has it. Its
// process crashes, is stopped, drains, is killed and starts again.
class WorkerHost {
 public:
  struct Parts {
    Timeline& timeline;
    Trace& trace;
    Network& network;
    Auditor& auditor;
    const Saboteur& saboteur;
    const Weather& weather;
  };
  // `all`: serves everything, so that no job waits for nobody.
  WorkerHost(const Parts& parts, std::string name, bool all, Dice dice);
  ~WorkerHost();

  void start();
  void crash(Millis down_for);
  void stall(Millis how_long);
  void drain();
  void kill();
  void calm();
  [[nodiscard]] const std::string& name() const { return name_; }

 private:
  struct Run {
    worker::Handle handle;
    JobId id;
    Token token;
    Steady from;
    bool killable = false;
    bool ending = false;  // a stop has been heeded
    bool stop_asked = false, superseded = false;
  };
  struct Ended {
    worker::Handle handle;
    worker::Outcome outcome;
    std::int64_t run_us = 0;
  };
  struct Process;
  using RunKey = std::pair<std::uint32_t, std::uint32_t>;

  [[nodiscard]] worker::Identity identity();
  void wake(Millis in);
  void turn();
  void take_frames(Steady now);
  void open_socket(Steady now);
  void send_all(Steady now);
  void try_hello(Steady now);
  void note_told(const wire::Message& message);
  void begin_run(worker::Handle handle, Steady now);
  void end_run_in(Millis wait, RunKey key, worker::Outcome outcome);
  void stop_run(const worker::Stop& stop);
  void report_later(const Run& run, const worker::Outcome& outcome);
  void report(const Run& run, const worker::Outcome& outcome);
  [[nodiscard]] worker::Outcome draw_outcome(Token token);
  void gone(Millis down_for);

  Parts parts_;
  std::string name_;
  Dice dice_;
  bool calm_ = false;
  std::vector<std::pair<std::string, std::uint32_t>> queues_;
  std::vector<worker::ServedType> types_;
  std::uint32_t slots_ = 1;
  std::unique_ptr<Process> process_;
  std::uint64_t processes_ = 0, boots_ = 1;
  Steady stalled_until_;  // also: until when it stood still last
};

}  // namespace rota::sim

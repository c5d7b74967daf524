#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <absl/container/flat_hash_map.h>

#include "broker/server/outbox.h"
#include "broker/server/pipeline.h"
#include "broker/server/store_port.h"
#include "common/base/clock.h"

namespace rota::server {

// Requests that name jobs which the core does not hold (any more), or that want what only the store has, wait here as
// the frames they came in. What they ask for is read once everything is committed that was decided before they came; then
// they are handled again, with what was found. In the order they came.
class Parking {
 public:
  // What a request wants read.
  struct Wants {
    std::vector<JobId> ids;
    std::vector<queue::Sequence> sequences;
    bool with_body = false;

    void clear() {
      ids.clear();
      sequences.clear();
      with_body = false;
    }
    [[nodiscard]] bool empty() const { return ids.empty() && sequences.empty(); }
  };
  struct Frame {
    Side side = Side::client;
    Route route = 0;
    std::string bytes;
    std::uint8_t round = 0;  // how often it was looked up for already
  };
  // Frames and what was read for them.
  struct Group {
    std::vector<Frame> frames;
    std::unique_ptr<ReadTask> task;
    Steady asked_at;
  };

  // `volatile_store` answers for jobs that are never stored; it is asked in the calling thread.
  Parking(store::Store& volatile_store, StorePort& port) : volatile_store_(volatile_store), port_(port) {}

  // False: too much waits already.
  [[nodiscard]] bool park(Frame frame, const Wants& wants, std::uint64_t behind_batch);
  // Asks for whatever may be read now. True: a group is ready() without the store's help.
  void issue(const Pipeline& pipeline, Now now);
  // Whether the task is of here; it is taken then.
  [[nodiscard]] bool on_read(std::unique_ptr<ReadTask>& task);
  // The oldest group whose reading is done.
  [[nodiscard]] std::optional<Group> ready();

  [[nodiscard]] bool empty() const { return gathering_.empty() && reading_.empty(); }
  [[nodiscard]] std::size_t bytes() const { return bytes_; }

 private:
  struct Gathering {
    std::uint64_t behind_batch = 0;
    Group group;
  };
  struct Reading {
    std::uint64_t number = 0;
    bool done = false;
    Group group;
  };

  store::Store& volatile_store_;
  StorePort& port_;
  std::deque<Gathering> gathering_;
  std::deque<Reading> reading_;
  std::uint64_t next_number_ = 1;
  std::size_t bytes_ = 0;
};

// What a frame that is handled again knows. Read-only.
class Known {
 public:
  Known(const ReadTask& task, std::uint8_t round);

  [[nodiscard]] bool asked(const JobId& id) const { return task_.found.was_asked(id); }
  [[nodiscard]] const queue::FinishedJob* find(const JobId& id) const { return task_.found.find(id); }
  [[nodiscard]] std::optional<store::Batch::Body> body(queue::Sequence sequence) const;
  // Looking again is given up after some rounds: the job changes faster than it can be read.
  [[nodiscard]] bool last_round() const { return round_ >= 3; }
  [[nodiscard]] std::uint8_t round() const { return round_; }

 private:
  const ReadTask& task_;
  std::uint8_t round_;
  absl::flat_hash_map<queue::Sequence, std::size_t> places_;
};

}  // namespace rota::server

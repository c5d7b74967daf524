#pragma once

#include <cstddef>
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

namespace rota::server {

// What one look into the store found. Read-only.
class Known {
 public:
  Known(std::unique_ptr<ReadTask> task, std::uint64_t last_batch);

  [[nodiscard]] bool asked(const JobId& id) const { return task_->found.was_asked(id); }
  [[nodiscard]] const queue::FinishedJob* find(const JobId& id) const { return task_->found.find(id); }
  // Bytes of that job's result that were left out of its report.
  [[nodiscard]] std::uint64_t left_out(const JobId& id) const { return task_->found.left_out(id); }
  [[nodiscard]] std::optional<store::Batch::Body> body(queue::Sequence sequence) const;
  // Everything up to this batch was on disk before it was read.
  [[nodiscard]] std::uint64_t last_batch() const { return last_batch_; }

 private:
  std::unique_ptr<ReadTask> task_;
  std::uint64_t last_batch_;
  absl::flat_hash_map<queue::Sequence, std::size_t> places_;
};

// Requests that name jobs which the core does not hold (any more), or that want what only the store has, wait here as
// the frames they came in, one line for each peer. The head of a line is handled when what it asked for was read, and
// stays the head, asking again, until it needs nothing more: the frames behind it keep their order. A frame that waits
// for its turn only asks for nothing; one whose answer no frame before it can change may be read for ahead of its turn.
// What is asked for is read once everything is committed that was decided before it was asked. One look serves frames of
// many peers and is bounded, in bytes as well, and so is the number of looks under way: what clients ask for may be a
// thousand times as large as their asking. How many looks a frame takes concerns no other frame.
class Parking {
 public:
  // What a request wants read.
  struct Wants {
    std::vector<JobId> ids;
    std::vector<queue::Sequence> sequences;
    ReadTask::Want want = ReadTask::Want::facts;

    void clear() {
      ids.clear();
      sequences.clear();
      want = ReadTask::Want::facts;
    }
    [[nodiscard]] bool empty() const { return ids.empty() && sequences.empty(); }
  };
  struct Frame {
    Side side = Side::client;
    std::string bytes;
    bool decides = true;      // may change jobs: what stands behind it is read for at its own turn
    std::uint32_t looks = 0;  // how often it was read for
    bool waits = false;       // for a look that is asked for
    std::shared_ptr<const Known> known;
  };

  // `volatile_store` answers for jobs that are never stored; it is asked in the calling thread.
  Parking(store::Store& volatile_store, StorePort& port) : volatile_store_(volatile_store), port_(port) {}

  // To the end of the peer's line. False: too much waits already.
  [[nodiscard]] bool park(Route route, Frame frame, const Wants& wants, std::uint64_t behind_batch);
  // The head of the line asks (again), as `frame`: what is left of it.
  void look_again(Route route, Frame frame, const Wants& wants, std::uint64_t behind_batch);
  // Asks for whatever may be read now.
  void issue(const Pipeline& pipeline);
  // What a look had asked for.
  void on_read(std::unique_ptr<ReadTask> task);

  // A peer whose head can be handled, once for each time its head's look is done; 0: none.
  [[nodiscard]] Route take_ready();
  [[nodiscard]] bool any_ready() const { return !ready_.empty(); }
  // Null: no line, or its head waits for a look. Lives until the head is changed or popped.
  [[nodiscard]] const Frame* head(Route route) const;
  void pop(Route route);
  // The peer is gone.
  void drop(Route route);

  // Nothing stands before a new frame of this peer that may change what it finds.
  [[nodiscard]] bool may_look_ahead(Route route) const;
  [[nodiscard]] bool empty() const { return lines_.empty(); }
  [[nodiscard]] std::size_t bytes() const { return bytes_; }

 private:
  struct Line {
    std::uint64_t id = 0;
    std::deque<Frame> frames;
    std::uint64_t first = 0;   // number of the head in its line
    std::size_t deciding = 0;  // frames that may change jobs
  };
  struct Asker {
    Route route = 0;
    std::uint64_t line = 0;
    std::uint64_t number = 0;  // in its line
  };
  struct Look {
    std::uint64_t number = 0;
    std::uint64_t behind_batch = 0;
    std::uint64_t last_batch = 0;  // on disk when it was issued
    std::vector<Asker> askers;
    std::size_t readers = 0;  // askers that want more than facts
    std::unique_ptr<ReadTask> task;
  };
  void ask(Asker asker, const Wants& wants, std::uint64_t behind_batch);
  void done(Look look);

  store::Store& volatile_store_;
  StorePort& port_;
  absl::flat_hash_map<Route, Line> lines_;
  std::deque<Look> gathering_;
  std::deque<Look> reading_;
  std::deque<Route> ready_;
  std::uint64_t next_look_ = 1;
  std::uint64_t next_line_ = 1;
  std::size_t bytes_ = 0;
};

}  // namespace rota::server

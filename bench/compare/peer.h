#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

#include "bench/compare/progress.h"

namespace rota::compare {

// One connection that submits. Used by one thread.
class Producer {
 public:
  explicit Producer(Progress& progress) : progress_(progress) {}
  virtual ~Producer() = default;
  Producer(const Producer&) = delete;
  Producer& operator=(const Producer&) = delete;

  // Sends jobs `first` … `first + count - 1` with as few messages and writes as the protocol allows. `as_of_ns`: the moment
  // that their time counts from.
  virtual void submit(std::uint64_t first, std::size_t count, std::int64_t as_of_ns) = 0;
  // Blocks until an answer came or the wake descriptor given to Peer::producer() is readable; handles all that arrived.
  virtual void await_answers() = 0;

  [[nodiscard]] std::uint64_t acknowledged() const { return acknowledged_; }
  [[nodiscard]] std::uint64_t known() const { return known_; }

 protected:
  void note_submitted(std::uint64_t job, std::int64_t at_ns) { progress_.submitted(job, at_ns); }  // before it leaves
  void note_acknowledged(std::uint64_t job) {
    ++acknowledged_;
    progress_.acknowledged(job);
  }
  void note_known(std::uint64_t job) {  // the submitter has its result
    ++known_;
    progress_.known(job);
  }

 private:
  Progress& progress_;
  std::uint64_t acknowledged_ = 0, known_ = 0;
};

// One connection that works. run() is used by one thread.
class Worker {
 public:
  virtual ~Worker() = default;
  // Takes and completes jobs until stop(); tells Progress had(), completed() and completed_more().
  virtual void run() = 0;
  // From another thread: blocks until run() is ready to take jobs.
  virtual void await_ready() {}
  // From another thread, when all jobs of the run are completed: makes run() return.
  virtual void stop() = 0;
};

// A queue server, as the load generator sees it. Made connections are ready when the call returns: registered, subscribed.
class Peer {
 public:
  virtual ~Peer() = default;
  // Submitters are told when a job is complete.
  [[nodiscard]] virtual bool tells_the_end() const { return false; }
  // `told`: whether they shall be (it can cost). `wake_fd`: -1 for none. From several threads at once.
  [[nodiscard]] virtual std::unique_ptr<Producer> producer(Progress& progress, bool told, int wake_fd) = 0;
  [[nodiscard]] virtual std::unique_ptr<Worker> worker(Progress& progress) = 0;
};

// A peer by name, connected to its server and prepared (queues created); null: no such peer.
[[nodiscard]] std::unique_ptr<Peer> make_peer(const Load& load);
// Their names, separated by ", ".
[[nodiscard]] std::string_view peer_names();

}  // namespace rota::compare

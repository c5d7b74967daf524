#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>

#include "worker/spawner/capture.h"
#include "worker/spawner/channel.h"
#include "worker/spawner/launch.h"

namespace rota::spawner {

// The spawner's loop: starts, watches, signals and reaps commands for one worker. Single-threaded. SIGCHLD must be
// blocked in the calling thread.
class Server {
 public:
  // Takes over the stream to the worker.
  explicit Server(Descriptor worker);

  // Serves until the worker's end of the stream closes, then ends every process it ever started and their descendants.
  void serve();

 private:
  struct Child {
    std::uint64_t id = 0;
    pid_t pid = -1;
    Descriptor output, error;
    Capture output_kept, error_kept;
    std::int64_t started_us = 0;
  };

  void handle(const Frame& frame);
  void start(const Run& run);
  void refuse(const Run& run, int error, std::string_view reason);
  void watch(int fd, std::uint64_t tag);
  void read_stream(std::uint64_t tag);
  // Reads until the pipe is empty. False: its writers are gone.
  bool drain(const Descriptor& from, Capture& into);
  void reap();
  void finish(Child& child, int status, bool killed);

  Channel channel_;
  Descriptor poller_, child_signal_, no_input_;
  std::unordered_map<std::uint64_t, Child> children_;  // by run id
  std::unordered_map<pid_t, std::uint64_t> by_pid_;
  rlimit descriptors_{};  // as inherited; commands get it back
  bool sending_ = false;
};

}  // namespace rota::spawner

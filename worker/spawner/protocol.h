#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

// What a worker and its spawner say to each other over their socket pair. Private to one installation: both ends are of
// the same build. A frame is a 32-bit length (of what follows), one byte of kind, and the fields: integers in host order,
// strings as a 32-bit length and bytes.
namespace rota::spawner {

// Worker to spawner: run this.
struct Run {
  std::uint64_t id = 0;  // the worker's number for the run; never reused
  std::uint64_t max_output = 0;
  std::vector<std::string_view> argv;
  std::vector<std::string> env;  // "NAME=value", set over the spawner's own environment
  std::string_view cwd;          // empty: the spawner's
  std::string_view input;        // the whole stdin
};
// Worker to spawner: send this signal to the run's process group; nothing happens if it has ended.
struct Signal {
  std::uint64_t id = 0;
  std::int32_t number = 0;
};
// Spawner to worker: the run has ended; exactly one for each Run.
struct Ended {
  enum class How : std::uint8_t { exited = 0, signaled = 1, not_started = 2 };
  std::uint64_t id = 0;
  How how = How::exited;
  std::int32_t number = 0;  // exit code, signal, or errno
  std::string_view reason;  // of not_started, for people
  std::uint64_t run_us = 0;
  std::string_view output;  // stdout, its middle cut out if it was over max_output
  std::string_view stderr_tail;
};

void encode(const Run& message, std::string& out);
void encode(const Signal& message, std::string& out);
void encode(const Ended& message, std::string& out);

enum class Kind : std::uint8_t { run = 1, signal = 2, ended = 3 };

// A frame found at the start of a byte stream. `body` points into the stream.
struct Frame {
  Kind kind = Kind::run;
  std::string_view body;
  std::size_t size = 0;  // of the whole frame
};
// The first frame of `bytes`, if it is complete.
[[nodiscard]] std::optional<Frame> first_frame(std::string_view bytes);

// Nothing for bytes that are no such message. Views point into `body`.
[[nodiscard]] std::optional<Run> decode_run(std::string_view body);
[[nodiscard]] std::optional<Signal> decode_signal(std::string_view body);
[[nodiscard]] std::optional<Ended> decode_ended(std::string_view body);

}  // namespace rota::spawner

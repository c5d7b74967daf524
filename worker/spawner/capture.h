#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace rota::spawner {

// Keeps the head and the tail of a stream in at most `most` bytes, however long it grows.
class Capture {
 public:
  // What is over `most` is lost behind the first `head` bytes; head 0 keeps the tail alone.
  Capture(std::size_t most, std::size_t head);

  void append(std::string_view bytes);
  [[nodiscard]] std::uint64_t total() const { return total_; }
  // The stream, or its head, a line that says how much is missing, and its tail; never more than `most` bytes.
  [[nodiscard]] std::string take();

 private:
  std::size_t most_, head_;
  std::string kept_;      // first the stream itself; once full, its part behind `head_` is a ring
  std::size_t next_ = 0;  // where the ring is written next
  std::uint64_t total_ = 0;
};

// Cuts the middle out of `bytes` if they are more than `most`, and says in its place how much is missing.
void cut_middle(std::string& bytes, std::size_t most);

}  // namespace rota::spawner

#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace rota::spawner {

// Keeps a stream, or the ends of one that grows longer than `most` bytes.
class Capture {
 public:
  enum class Keep : std::uint8_t { head_and_tail, tail };

  Capture(std::size_t most, Keep keep);

  void append(std::string_view bytes);
  [[nodiscard]] std::uint64_t total() const { return total_; }
  // The stream if it has at most `most` bytes. Else its last `most` bytes (Keep::tail), or its head, a line that says how
  // much is missing, and its tail, together at most `most` bytes. That line is always there: where `most` is less than it
  // takes (46 bytes at most), it stands alone and is longer than `most`.
  [[nodiscard]] std::string take();

 private:
  std::size_t most_, head_;
  Keep keep_;
  std::string kept_;      // first the stream itself; once full, its part behind `head_` is a ring
  std::size_t next_ = 0;  // where the ring is written next
  std::uint64_t total_ = 0;
};

// Cuts the middle out of `bytes` if they are more than `most`, and says in its place how much is missing; as
// Capture::take() with Keep::head_and_tail.
void cut_middle(std::string& bytes, std::size_t most);

}  // namespace rota::spawner

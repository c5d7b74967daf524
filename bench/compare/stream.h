#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace rota::compare {

// A TCP connection with a buffer for each direction. Errors of the connection end the process, except after stop().
class Stream {
 public:
  Stream(const std::string& address, std::uint16_t port);
  ~Stream();
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  // Appended to what leaves with the next flush().
  [[nodiscard]] std::string& out() { return out_; }
  // Sends all of it. Reads meanwhile what arrives, so that two full pipes cannot wait for each other.
  void flush();

  // What has arrived and was not consumed. Views die with the next receive() or flush().
  [[nodiscard]] std::string_view input() const { return {in_.data() + consumed_, filled_ - consumed_}; }
  void consume(std::size_t bytes) { consumed_ += bytes; }
  // Blocks until more has arrived. False: `wake_fd` (-1: none) became readable instead, or the connection was stopped.
  bool receive(int wake_fd = -1);
  // A line without its CRLF; blocks for it. Empty view after stop().
  std::string_view line();

  // From any thread: ends the connection, receive() returns false.
  void stop();
  [[nodiscard]] bool stopped() const { return stopped_.load(); }

 private:
  bool read_some();

  int socket_ = -1;
  std::atomic<bool> stopped_{false};
  std::string out_;
  std::vector<char> in_;
  std::size_t consumed_ = 0, filled_ = 0;  // what lies between is unread
};

}  // namespace rota::compare

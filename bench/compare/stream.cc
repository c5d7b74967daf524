#include "bench/compare/stream.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "bench/compare/failure.h"

namespace rota::compare {

namespace {
constexpr std::size_t kReadBytes = 256 * 1024;
}  // namespace

Stream::Stream(const std::string& address, std::uint16_t port) {
  socket_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (socket_ < 0) fail_errno("socket");
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(port);
  if (::inet_pton(AF_INET, address.c_str(), &to.sin_addr) != 1) fail("'" + address + "' is no IPv4 address");
  if (::connect(socket_, reinterpret_cast<const sockaddr*>(&to), sizeof to) != 0) fail_errno("connect to " + address);
  const int on = 1;
  ::setsockopt(socket_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

Stream::~Stream() { ::close(socket_); }

void Stream::flush() {
  std::size_t sent = 0;
  while (sent < out_.size() && !stopped()) {
    const ssize_t wrote = ::send(socket_, out_.data() + sent, out_.size() - sent, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (wrote > 0) {
      sent += static_cast<std::size_t>(wrote);
      continue;
    }
    if (stopped()) break;
    if (errno != EAGAIN && errno != EINTR) fail_errno("send");
    pollfd wanted{socket_, POLLIN | POLLOUT, 0};
    ::poll(&wanted, 1, -1);
    if ((wanted.revents & POLLIN) != 0 && !read_some()) break;
  }
  out_.clear();
}

bool Stream::read_some() {
  if (consumed_ > 0) {
    std::memmove(in_.data(), in_.data() + consumed_, filled_ - consumed_);
    filled_ -= consumed_;
    consumed_ = 0;
  }
  if (in_.size() < filled_ + kReadBytes) in_.resize(filled_ + kReadBytes);
  ssize_t got = 0;
  do {
    got = ::recv(socket_, in_.data() + filled_, in_.size() - filled_, 0);
  } while (got < 0 && errno == EINTR);
  if (got > 0) {
    filled_ += static_cast<std::size_t>(got);
    return true;
  }
  if (stopped()) return false;
  if (got < 0) fail_errno("receive");
  fail("the server closed the connection");
}

bool Stream::receive(int wake_fd) {
  if (wake_fd >= 0) {
    std::array<pollfd, 2> wanted{{{socket_, POLLIN, 0}, {wake_fd, POLLIN, 0}}};
    while (::poll(wanted.data(), wanted.size(), -1) < 0) {
      if (errno != EINTR) fail_errno("poll");
    }
    if (wanted[0].revents == 0) return false;
  }
  return read_some();
}

std::string_view Stream::line() {
  std::size_t scanned = 0;
  for (;;) {
    const std::size_t end = input().find("\r\n", scanned);
    if (end != std::string_view::npos) {
      const std::string_view text = input().substr(0, end);
      consume(end + 2);
      return text;
    }
    scanned = input().empty() ? 0 : input().size() - 1;
    if (!receive()) return {};
  }
}

void Stream::stop() {
  stopped_.store(true);
  ::shutdown(socket_, SHUT_RDWR);
}

}  // namespace rota::compare

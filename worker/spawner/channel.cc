#include "worker/spawner/channel.h"

#include <fcntl.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <utility>

namespace rota::spawner {
namespace {

constexpr std::size_t kReadBytes = 64 * 1024;
constexpr std::size_t kReadsAtOnce = 16;  // then look at everything else again

}  // namespace

Channel::Channel(Descriptor socket) : socket_(std::move(socket)) {
  fcntl(socket_.get(), F_SETFL, fcntl(socket_.get(), F_GETFL) | O_NONBLOCK);
  fcntl(socket_.get(), F_SETFD, FD_CLOEXEC);
}

bool Channel::send() {
  while (sent_ < outgoing_.size()) {
    const ssize_t size = ::send(socket_.get(), outgoing_.data() + sent_, outgoing_.size() - sent_, MSG_NOSIGNAL);
    if (size < 0) {
      if (errno == EINTR) continue;
      return errno == EAGAIN || errno == EWOULDBLOCK;
    }
    sent_ += static_cast<std::size_t>(size);
  }
  outgoing_.clear();
  sent_ = 0;
  return true;
}

bool Channel::receive() {
  incoming_.erase(0, taken_);
  taken_ = 0;
  for (std::size_t reads = 0; reads < kReadsAtOnce; ++reads) {
    std::array<char, kReadBytes> buffer;
    const ssize_t size = ::recv(socket_.get(), buffer.data(), buffer.size(), 0);
    if (size < 0) {
      if (errno == EINTR) continue;
      return errno == EAGAIN || errno == EWOULDBLOCK;
    }
    if (size == 0) return false;
    incoming_.append(buffer.data(), static_cast<std::size_t>(size));
    if (static_cast<std::size_t>(size) < buffer.size()) return true;
  }
  return true;
}

std::optional<Frame> Channel::next() {
  const std::optional<Frame> frame = first_frame(std::string_view{incoming_}.substr(taken_));
  if (frame) taken_ += frame->size;
  return frame;
}

}  // namespace rota::spawner

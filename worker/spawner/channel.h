#pragma once

#include <optional>
#include <string>

#include "worker/spawner/descriptor.h"
#include "worker/spawner/protocol.h"

namespace rota::spawner {

// One end of the stream between a worker and its spawner: buffers both ways, never blocks. One thread.
class Channel {
 public:
  // Takes over a connected stream socket.
  explicit Channel(Descriptor socket);

  // Where messages are encoded to; send() hands over as much as the socket takes.
  [[nodiscard]] std::string& outgoing() { return outgoing_; }
  // False: the other side is gone.
  [[nodiscard]] bool send();
  [[nodiscard]] bool wants_to_send() const { return sent_ < outgoing_.size(); }
  // Reads what is there. False: the other side is gone.
  [[nodiscard]] bool receive();
  // The next complete frame; valid until the next call of receive().
  [[nodiscard]] std::optional<Frame> next();
  [[nodiscard]] int fd() const { return socket_.get(); }

 private:
  Descriptor socket_;
  std::string outgoing_, incoming_;
  std::size_t sent_ = 0;
  std::size_t taken_ = 0;
};

}  // namespace rota::spawner

#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "bench/compare/load.h"
#include "bench/compare/stream.h"

namespace rota::compare {

// AMQP 0-9-1 as far as a queue with confirms needs it: https://www.rabbitmq.com/resources/specs/amqp0-9-1.pdf
// One connection with one channel, logged in as guest.
class Amqp {
 public:
  explicit Amqp(const Load& load);

  // Methods by class and number.
  struct Method {
    std::uint16_t group = 0;
    std::uint16_t number = 0;
    bool operator==(const Method&) const = default;
  };
  static constexpr Method kConfirmSelect{85, 10}, kQos{60, 10}, kConsume{60, 20}, kDeliver{60, 60}, kAck{60, 80},
      kNack{60, 120};

  struct Frame {
    std::uint8_t type = 0;  // 1 method, 2 content header, 3 content body, 8 heartbeat
    Method method;          // of a method frame
    std::string_view body;  // of a method frame: its arguments
  };
  // The next whole frame; its view dies with the next receive. A close of the server ends the process.
  [[nodiscard]] std::optional<Frame> next();
  // Waits for a method, dropping what comes before it.
  void await(Method method);

  void declare_queue(std::string_view name, bool durable, bool quorum);
  void select_confirms();
  void consume(std::string_view queue, std::uint16_t prefetch);
  // Appended to the stream's output.
  void publish(std::string_view queue, std::string_view body, bool persistent);
  void acknowledge(std::uint64_t tag, bool multiple);

  [[nodiscard]] Stream& stream() { return stream_; }

 private:
  void send_method(std::uint16_t channel, Method method, std::string_view arguments);

  Stream stream_;
};

// Big-endian numbers at the front of a frame's body.
[[nodiscard]] std::uint64_t amqp_number(std::string_view bytes, std::size_t size);

}  // namespace rota::compare

#include "bench/compare/amqp.h"

#include "bench/compare/failure.h"

namespace rota::compare {

namespace {

constexpr std::uint8_t kMethodFrame = 1, kHeaderFrame = 2, kBodyFrame = 3;
constexpr char kFrameEnd = '\xce';
constexpr std::size_t kFrameHead = 7;
constexpr Amqp::Method kStart{10, 10}, kStartOk{10, 11}, kTune{10, 30}, kTuneOk{10, 31}, kOpen{10, 40}, kOpenOk{10, 41},
    kConnectionClose{10, 50}, kChannelOpen{20, 10}, kChannelOpenOk{20, 11}, kChannelClose{20, 40}, kDeclare{50, 10},
    kDeclareOk{50, 11}, kQosOk{60, 11}, kConsumeOk{60, 21}, kPublish{60, 40}, kConfirmSelectOk{85, 11};

void put(std::string& to, std::uint64_t number, std::size_t size) {
  for (std::size_t i = size; i-- > 0;) to += static_cast<char>(number >> (8 * i) & 0xff);
}
void put_short(std::string& to, std::string_view text) {
  put(to, text.size(), 1);
  to += text;
}
void put_long(std::string& to, std::string_view text) {
  put(to, text.size(), 4);
  to += text;
}

void put_frame(std::string& to, std::uint8_t type, std::uint16_t channel, std::string_view body) {
  put(to, type, 1);
  put(to, channel, 2);
  put(to, body.size(), 4);
  to += body;
  to += kFrameEnd;
}

}  // namespace

std::uint64_t amqp_number(std::string_view bytes, std::size_t size) {
  std::uint64_t number = 0;
  for (std::size_t i = 0; i < size && i < bytes.size(); ++i) number = number << 8 | static_cast<std::uint8_t>(bytes[i]);
  return number;
}

Amqp::Amqp(const Load& load) : stream_(load.address, load.port) {
  stream_.out().append("AMQP\0\0\x09\x01", 8);
  stream_.flush();
  await(kStart);
  std::string start_ok;
  put_long(start_ok, "");  // no properties
  put_short(start_ok, "PLAIN");
  put_long(start_ok, std::string_view("\0guest\0guest", 12));
  put_short(start_ok, "en_US");
  send_method(0, kStartOk, start_ok);
  stream_.flush();
  await(kTune);
  std::string tune_ok;
  put(tune_ok, 16, 2);          // channels
  put(tune_ok, 128 * 1024, 4);  // bytes in a frame: the server's default
  put(tune_ok, 0, 2);           // no heartbeats
  send_method(0, kTuneOk, tune_ok);
  std::string open;
  put_short(open, "/");
  put_short(open, "");
  put(open, 0, 1);
  send_method(0, kOpen, open);
  stream_.flush();
  await(kOpenOk);
  send_method(1, kChannelOpen, std::string_view("\0", 1));
  stream_.flush();
  await(kChannelOpenOk);
}

std::optional<Amqp::Frame> Amqp::next() {
  const std::string_view input = stream_.input();
  if (input.size() < kFrameHead) return std::nullopt;
  const std::size_t size = amqp_number(input.substr(3), 4);
  if (input.size() < kFrameHead + size + 1) return std::nullopt;
  stream_.consume(kFrameHead + size + 1);
  Frame frame{static_cast<std::uint8_t>(input.front()), {}, input.substr(kFrameHead, size)};
  if (frame.type != kMethodFrame) return frame;
  frame.method = {static_cast<std::uint16_t>(amqp_number(frame.body, 2)),
                  static_cast<std::uint16_t>(amqp_number(frame.body.substr(2), 2))};
  frame.body.remove_prefix(4);
  if (frame.method == kConnectionClose || frame.method == kChannelClose) {
    fail("RabbitMQ: " + std::string(frame.body.substr(3, amqp_number(frame.body.substr(2), 1))));
  }
  return frame;
}

void Amqp::await(Method method) {
  for (;;) {
    const std::optional<Frame> frame = next();
    if (frame && frame->type == kMethodFrame && frame->method == method) return;
    if (!frame && !stream_.receive()) return;
  }
}

void Amqp::send_method(std::uint16_t channel, Method method, std::string_view arguments) {
  std::string body;
  put(body, method.group, 2);
  put(body, method.number, 2);
  body += arguments;
  put_frame(stream_.out(), kMethodFrame, channel, body);
}

void Amqp::declare_queue(std::string_view name, bool durable, bool quorum) {
  std::string arguments;
  put(arguments, 0, 2);
  put_short(arguments, name);
  put(arguments, durable ? 2 : 0, 1);
  std::string table;
  if (quorum) {
    put_short(table, "x-queue-type");
    table += 'S';
    put_long(table, "quorum");
  }
  put_long(arguments, table);
  send_method(1, kDeclare, arguments);
  stream_.flush();
  await(kDeclareOk);
}

void Amqp::select_confirms() {
  send_method(1, kConfirmSelect, std::string_view("\0", 1));
  stream_.flush();
  await(kConfirmSelectOk);
}

void Amqp::consume(std::string_view queue, std::uint16_t prefetch) {
  std::string qos;
  put(qos, 0, 4);
  put(qos, prefetch, 2);
  put(qos, 0, 1);
  send_method(1, kQos, qos);
  stream_.flush();
  await(kQosOk);
  std::string arguments;
  put(arguments, 0, 2);
  put_short(arguments, queue);
  put_short(arguments, "");
  put(arguments, 0, 1);
  put_long(arguments, "");
  send_method(1, kConsume, arguments);
  stream_.flush();
  await(kConsumeOk);
}

void Amqp::publish(std::string_view queue, std::string_view body, bool persistent) {
  std::string arguments;
  put(arguments, 0, 2);
  put_short(arguments, "");  // the default exchange: the key names the queue
  put_short(arguments, queue);
  put(arguments, 0, 1);
  send_method(1, kPublish, arguments);
  std::string header;
  put(header, 60, 2);
  put(header, 0, 2);
  put(header, body.size(), 8);
  put(header, 0x1000, 2);  // delivery mode alone
  put(header, persistent ? 2 : 1, 1);
  put_frame(stream_.out(), kHeaderFrame, 1, header);
  put_frame(stream_.out(), kBodyFrame, 1, body);
}

void Amqp::acknowledge(std::uint64_t tag, bool multiple) {
  std::string arguments;
  put(arguments, tag, 8);
  put(arguments, multiple ? 1 : 0, 1);
  send_method(1, kAck, arguments);
}

}  // namespace rota::compare

#include "worker/spawner/protocol.h"

#include <cstring>

namespace rota::spawner {
namespace {

constexpr std::size_t kHeader = sizeof(std::uint32_t) + 1;

class Writer {
 public:
  Writer(Kind kind, std::string& out) : out_(out), start_(out.size()) {
    out_.append(sizeof(std::uint32_t), '\0');
    out_.push_back(static_cast<char>(kind));
  }
  ~Writer() {
    const auto length = static_cast<std::uint32_t>(out_.size() - start_ - sizeof(std::uint32_t));
    std::memcpy(out_.data() + start_, &length, sizeof length);
  }
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;

  template <typename Integer>
  void number(Integer value) {
    out_.append(reinterpret_cast<const char*>(&value), sizeof value);
  }
  void text(std::string_view value) {
    number(static_cast<std::uint32_t>(value.size()));
    out_.append(value);
  }

 private:
  std::string& out_;
  std::size_t start_;
};

// Reads fields in order; after the first that is not there, ok() is false and every value is empty.
class Reader {
 public:
  explicit Reader(std::string_view bytes) : rest_(bytes) {}
  template <typename Integer>
  Integer number() {
    Integer value{};
    if (rest_.size() < sizeof value) {
      ok_ = false;
      rest_ = {};
      return value;
    }
    std::memcpy(&value, rest_.data(), sizeof value);
    rest_.remove_prefix(sizeof value);
    return value;
  }
  std::string_view text() {
    const auto length = number<std::uint32_t>();
    if (length > rest_.size()) {
      ok_ = false;
      rest_ = {};
      return {};
    }
    const std::string_view value = rest_.substr(0, length);
    rest_.remove_prefix(length);
    return value;
  }
  [[nodiscard]] bool ok() const { return ok_; }
  [[nodiscard]] bool complete() const { return ok_ && rest_.empty(); }

 private:
  std::string_view rest_;
  bool ok_ = true;
};

}  // namespace

void encode(const Run& message, std::string& out) {
  Writer writer{Kind::run, out};
  writer.number(message.id);
  writer.number(message.max_output);
  writer.number(static_cast<std::uint32_t>(message.argv.size()));
  for (const std::string_view argument : message.argv) writer.text(argument);
  writer.number(static_cast<std::uint32_t>(message.env.size()));
  for (const std::string& entry : message.env) writer.text(entry);
  writer.text(message.cwd);
  writer.text(message.input);
}

void encode(const Signal& message, std::string& out) {
  Writer writer{Kind::signal, out};
  writer.number(message.id);
  writer.number(message.number);
}

void encode(const Ended& message, std::string& out) {
  Writer writer{Kind::ended, out};
  writer.number(message.id);
  writer.number(static_cast<std::uint8_t>(message.how));
  writer.number(message.number);
  writer.text(message.reason);
  writer.number(message.run_us);
  writer.text(message.output);
  writer.text(message.stderr_tail);
}

std::optional<Frame> first_frame(std::string_view bytes) {
  if (bytes.size() < kHeader) return std::nullopt;
  std::uint32_t length = 0;
  std::memcpy(&length, bytes.data(), sizeof length);
  if (length == 0 || bytes.size() - sizeof length < length) return std::nullopt;
  return Frame{static_cast<Kind>(bytes[sizeof length]), bytes.substr(kHeader, length - 1), sizeof length + length};
}

std::optional<Run> decode_run(std::string_view body) {
  Reader reader{body};
  Run message;
  message.id = reader.number<std::uint64_t>();
  message.max_output = reader.number<std::uint64_t>();
  for (auto count = reader.number<std::uint32_t>(); count > 0 && reader.ok(); --count) {
    message.argv.push_back(reader.text());
  }
  for (auto count = reader.number<std::uint32_t>(); count > 0 && reader.ok(); --count) {
    message.env.emplace_back(reader.text());
  }
  message.cwd = reader.text();
  message.input = reader.text();
  if (!reader.complete() || message.argv.empty()) return std::nullopt;
  return message;
}

std::optional<Signal> decode_signal(std::string_view body) {
  Reader reader{body};
  Signal message;
  message.id = reader.number<std::uint64_t>();
  message.number = reader.number<std::int32_t>();
  if (!reader.complete()) return std::nullopt;
  return message;
}

std::optional<Ended> decode_ended(std::string_view body) {
  Reader reader{body};
  Ended message;
  message.id = reader.number<std::uint64_t>();
  const auto how = reader.number<std::uint8_t>();
  message.number = reader.number<std::int32_t>();
  message.reason = reader.text();
  message.run_us = reader.number<std::uint64_t>();
  message.output = reader.text();
  message.stderr_tail = reader.text();
  if (!reader.complete() || how > 2) return std::nullopt;
  message.how = static_cast<Ended::How>(how);
  return message;
}

}  // namespace rota::spawner

#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "common/base/clock.h"
#include "common/base/uuid.h"
#include "common/wire/message.h"

// msgpack onto the end of a string. Internal to common/wire.
namespace rota::wire {

class Writer {
 public:
  explicit Writer(std::string& out) : out_(out) {}

  // [type, request, …]: the array's head for `fields` fields behind the request, and the first two values.
  void envelope(MessageType type, Request request, std::uint32_t fields);

  void nil();
  void boolean(bool value);
  void number(std::uint64_t value);
  void integer(std::int64_t value);
  void real(double value);
  void array(std::size_t count);
  void map(std::size_t pairs);
  void str(std::string_view value);    // names and other text known to be UTF-8
  void text(std::string_view value);   // free text: bytes that are not UTF-8 become '?', so that every str of ours is UTF-8
  void bytes(std::string_view value);  // bin
  void uuid(const Uuid& value);        // bin of 16
  void duration(Millis value) { integer(value.count()); }
  void wall(Wall value) { integer(value.ms); }

 private:
  std::string& out_;
};

}  // namespace rota::wire

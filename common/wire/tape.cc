#include "common/wire/tape.h"

#include <msgpack.hpp>
#include <optional>
#include <string>

#include "common/base/limits.h"

namespace rota::wire {
namespace {

// What msgpack::parse calls. Returning false stops it.
class TapeVisitor : public msgpack::null_visitor {
 public:
  TapeVisitor(Tape::Entries& entries, std::size_t frame_size) : entries_(entries), frame_size_(frame_size) {}

  bool visit_nil() { return add(ValueKind::nil, 0) != nullptr; }
  bool visit_boolean(bool value) { return add_number(ValueKind::boolean, value ? 1 : 0); }
  bool visit_positive_integer(std::uint64_t value) { return add_number(ValueKind::number, value); }
  bool visit_negative_integer(std::int64_t value) {
    // The signed formats may hold a positive value too.
    if (value >= 0) return add_number(ValueKind::number, static_cast<std::uint64_t>(value));
    TapeEntry* entry = add(ValueKind::negative, 0);
    if (entry != nullptr) entry->negative = value;
    return entry != nullptr;
  }
  bool visit_float32(float value) { return visit_float64(static_cast<double>(value)); }
  bool visit_float64(double value) {
    TapeEntry* entry = add(ValueKind::real, 0);
    if (entry != nullptr) entry->real = value;
    return entry != nullptr;
  }
  bool visit_str(const char* data, std::uint32_t size) { return add_data(ValueKind::text, data, size); }
  bool visit_bin(const char* data, std::uint32_t size) { return add_data(ValueKind::bytes, data, size); }
  bool visit_ext(const char* /*data*/, std::uint32_t /*size*/) {
    return refuse(Code::bad_message, "msgpack ext values are not used by this protocol");
  }
  bool start_array(std::uint32_t count) { return open(ValueKind::array, count, count); }
  bool start_map(std::uint32_t pairs) { return open(ValueKind::map, pairs, std::uint64_t{pairs} * 2); }
  bool end_array() {
    --depth_;
    return true;
  }
  bool end_map() {
    --depth_;
    return true;
  }
  void parse_error(std::size_t /*from*/, std::size_t /*to*/) { refuse(Code::bad_message, "not valid msgpack"); }
  void insufficient_bytes(std::size_t /*from*/, std::size_t /*to*/) {
    refuse(Code::bad_message, "the message ends in the middle of a value");
  }

  [[nodiscard]] std::optional<Error>& error() { return error_; }

 private:
  bool refuse(Code code, std::string text) {
    if (!error_) error_ = Error{code, std::move(text)};
    return false;
  }
  bool refuse_count() {
    return refuse(Code::too_large,
                  "more msgpack values than the limit of " + std::to_string(limits::kMaxElements) + " in one message");
  }
  TapeEntry* add(ValueKind kind, std::uint32_t size) {
    if (entries_.size() >= limits::kMaxElements) {
      refuse_count();
      return nullptr;
    }
    TapeEntry& entry = entries_.emplace_back();
    entry.kind = kind;
    entry.size = size;
    return &entry;
  }
  bool add_number(ValueKind kind, std::uint64_t value) {
    TapeEntry* entry = add(kind, 0);
    if (entry != nullptr) entry->number = value;
    return entry != nullptr;
  }
  bool add_data(ValueKind kind, const char* data, std::uint32_t size) {
    TapeEntry* entry = add(kind, size);
    if (entry != nullptr) entry->data = size == 0 ? nullptr : data;
    return entry != nullptr;
  }
  bool open(ValueKind kind, std::uint32_t size, std::uint64_t values) {
    if (depth_ >= limits::kMaxNesting) {
      return refuse(Code::too_large, "nested deeper than the limit of " + std::to_string(limits::kMaxNesting));
    }
    if (values > limits::kMaxElements - entries_.size()) return refuse_count();
    // Every value takes at least one byte: such a claim cannot be true, and is refused before anything is read for it.
    if (values > frame_size_) return refuse(Code::bad_message, "a container claims more values than the message has bytes");
    ++depth_;
    return add(kind, size) != nullptr;
  }

  Tape::Entries& entries_;
  std::size_t frame_size_;
  std::size_t depth_ = 0;
  std::optional<Error> error_;
};

}  // namespace

Status Tape::parse(std::string_view frame) {
  entries_.resize(0);  // clear() would give the storage back
  TapeVisitor visitor(entries_, frame.size());
  std::size_t offset = 0;
  const bool complete = msgpack::parse(frame.data(), frame.size(), offset, visitor);
  if (visitor.error()) return *std::move(visitor.error());
  if (!complete) return Error{Code::bad_message, "not valid msgpack"};
  if (offset != frame.size()) {
    return Error{Code::bad_message, std::to_string(frame.size() - offset) + " bytes follow the message"};
  }
  return {};
}

}  // namespace rota::wire

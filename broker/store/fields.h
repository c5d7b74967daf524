#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

#include "common/base/clock.h"
#include "common/base/token.h"
#include "common/base/uuid.h"

// The fields that stored records are made of: unsigned LEB128 numbers ("varint"), signed ones zigzag-mapped first,
// 64-bit little-endian words, raw UUIDs, and byte strings behind their length.
namespace rota::store {

// The longest varint of 64 bits.
inline constexpr std::size_t kMaxVarint = 10;

// Appends fields to a string.
class FieldWriter {
 public:
  explicit FieldWriter(std::string& out) : out_(out) {}

  void varint(std::uint64_t value) {
    char bytes[kMaxVarint];
    std::size_t size = 0;
    while (value >= 0x80U) {
      bytes[size++] = static_cast<char>(value | 0x80U);
      value >>= 7U;
    }
    bytes[size++] = static_cast<char>(value);
    out_.append(bytes, size);
  }
  void zigzag(std::int64_t value) {
    varint((static_cast<std::uint64_t>(value) << 1U) ^ static_cast<std::uint64_t>(value >> 63));
  }
  void u64(std::uint64_t value) {
    char bytes[8];
    for (unsigned i = 0; i < 8; ++i) bytes[i] = static_cast<char>(value >> (8U * i));
    out_.append(bytes, sizeof bytes);
  }
  void byte(std::uint8_t value) { out_.push_back(static_cast<char>(value)); }
  void uuid(const Uuid& value) { out_.append(reinterpret_cast<const char*>(value.bytes.data()), value.bytes.size()); }
  void wall(Wall at) { zigzag(at.ms); }
  void token(const Token& token) {
    varint(token.epoch);
    varint(token.dispatch);
  }
  void raw(std::string_view bytes) { out_.append(bytes); }
  void sized(std::string_view bytes) {
    varint(bytes.size());
    out_.append(bytes);
  }

 private:
  std::string& out_;
};

// Reads fields from bytes that may be damaged: after any field that does not fit, ok() is false and everything read is 0
// or empty.
class FieldReader {
 public:
  explicit FieldReader(std::string_view bytes) : rest_(bytes) {}

  [[nodiscard]] bool ok() const { return ok_; }
  [[nodiscard]] std::string_view rest() const { return rest_; }

  std::uint64_t varint() {
    std::uint64_t value = 0;
    for (unsigned i = 0; i < kMaxVarint; ++i) {
      if (i >= rest_.size()) return fail();
      const auto byte = static_cast<std::uint8_t>(rest_[i]);
      if (i == kMaxVarint - 1 && byte > 1) return fail();  // more than 64 bits
      value |= static_cast<std::uint64_t>(byte & 0x7FU) << (7U * i);
      if ((byte & 0x80U) == 0) {
        rest_.remove_prefix(i + 1);
        return value;
      }
    }
    return fail();
  }
  // A number that fits `T`.
  template <typename T>
  T number() {
    const std::uint64_t value = varint();
    if (value > static_cast<std::uint64_t>(static_cast<T>(-1))) return static_cast<T>(fail());
    return static_cast<T>(value);
  }
  std::int64_t zigzag() {
    const std::uint64_t value = varint();
    return static_cast<std::int64_t>((value >> 1U) ^ (0 - (value & 1U)));
  }
  std::uint64_t u64() {
    const std::string_view bytes = raw(8);
    std::uint64_t value = 0;
    for (unsigned i = 0; i < bytes.size(); ++i) {
      value |= static_cast<std::uint64_t>(static_cast<std::uint8_t>(bytes[i])) << (8U * i);
    }
    return value;
  }
  std::uint8_t byte() {
    const std::string_view bytes = raw(1);
    return bytes.empty() ? std::uint8_t{0} : static_cast<std::uint8_t>(bytes[0]);
  }
  Uuid uuid() {
    Uuid value;
    const std::string_view bytes = raw(value.bytes.size());
    if (!bytes.empty()) std::memcpy(value.bytes.data(), bytes.data(), bytes.size());
    return value;
  }
  Wall wall() { return Wall{zigzag()}; }
  Token token() {
    const std::uint64_t epoch = varint();
    return Token{epoch, varint()};
  }
  std::string_view raw(std::size_t size) {
    if (size > rest_.size()) {
      fail();
      return {};
    }
    const std::string_view bytes = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return bytes;
  }
  std::string_view sized() { return raw(varint()); }

 private:
  std::uint64_t fail() {
    ok_ = false;
    rest_ = {};
    return 0;
  }

  std::string_view rest_;
  bool ok_ = true;
};

}  // namespace rota::store

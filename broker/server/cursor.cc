#include "broker/server/cursor.h"

#include <xxhash.h>

#include <array>
#include <cstddef>

namespace rota::server {
namespace {

// Stage, id, time, mark.
constexpr std::size_t kSize = 1 + 16 + 8 + 8;
constexpr std::string_view kDigits = "0123456789abcdef";

void append_number(std::string& out, std::uint64_t number) {
  for (int shift = 56; shift >= 0; shift -= 8)
    out.push_back(static_cast<char>((number >> static_cast<unsigned>(shift)) & 0xFFU));
}

std::uint64_t read_number(std::string_view bytes) {
  std::uint64_t number = 0;
  for (const char byte : bytes.substr(0, 8)) number = number << 8U | static_cast<unsigned char>(byte);
  return number;
}

}  // namespace

std::uint64_t request_mark(std::initializer_list<std::string_view> pieces, std::uint64_t number) {
  std::string text;
  append_number(text, number);
  for (const std::string_view piece : pieces) {
    append_number(text, piece.size());
    text += piece;
  }
  return XXH3_64bits(text.data(), text.size());
}

std::string encode_cursor(const Cursor& cursor, std::uint64_t mark) {
  std::string out(1, static_cast<char>(cursor.stage));
  for (const std::uint8_t byte : cursor.below.bytes) out.push_back(static_cast<char>(byte));
  append_number(out, static_cast<std::uint64_t>(cursor.begun.ms));
  append_number(out, mark);
  return out;
}

std::optional<Cursor> decode_cursor(std::string_view bytes, std::uint64_t mark) {
  if (bytes.size() != kSize || read_number(bytes.substr(25)) != mark) return std::nullopt;
  Cursor cursor;
  cursor.stage = static_cast<std::uint8_t>(bytes[0]);
  for (std::size_t i = 0; i < cursor.below.bytes.size(); ++i)
    cursor.below.bytes[i] = static_cast<std::uint8_t>(bytes[1 + i]);
  cursor.begun.ms = static_cast<std::int64_t>(read_number(bytes.substr(17)));
  return cursor;
}

std::string to_hex(std::string_view bytes) {
  std::string out;
  for (const char byte : bytes) {
    const auto value = static_cast<unsigned char>(byte);
    out.push_back(kDigits[value >> 4U]);
    out.push_back(kDigits[value & 15U]);
  }
  return out;
}

std::optional<std::string> from_hex(std::string_view text) {
  if (text.size() % 2 != 0) return std::nullopt;
  std::string out;
  for (std::size_t i = 0; i < text.size(); i += 2) {
    const std::size_t high = kDigits.find(text[i]);
    const std::size_t low = kDigits.find(text[i + 1]);
    if (high == std::string_view::npos || low == std::string_view::npos) return std::nullopt;
    out.push_back(static_cast<char>(high << 4U | low));
  }
  return out;
}

}  // namespace rota::server

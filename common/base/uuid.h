#pragma once

#include <array>
#include <bit>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "common/base/keyed_hash.h"

namespace rota {

// 128 bits in the byte order of RFC 9562 (big-endian), which is also their sort order and wire form.
struct Uuid {
  std::array<std::uint8_t, 16> bytes{};

  bool operator==(const Uuid&) const = default;
  // As two numbers: ordered tables compare ids many times for each job, and a call of memcmp() costs several times that.
  std::strong_ordering operator<=>(const Uuid& other) const {
    if (const auto order = half(0) <=> other.half(0); order != 0) return order;
    return half(8) <=> other.half(8);
  }
  [[nodiscard]] bool is_nil() const { return *this == Uuid{}; }

 private:
  [[nodiscard]] std::uint64_t half(std::size_t at) const {
    std::uint64_t value = 0;
    std::memcpy(&value, bytes.data() + at, sizeof value);
    return std::endian::native == std::endian::little ? __builtin_bswap64(value) : value;
  }
};

// "0193b2f0-6cf8-7656-8a2b-0123456789ab".
[[nodiscard]] std::string to_string(const Uuid& uuid);
// Accepts the 36-character form in either case, nothing else.
[[nodiscard]] std::optional<Uuid> parse_uuid(std::string_view text);
// A random UUIDv4 (sessions, broker ids).
[[nodiscard]] Uuid random_uuid();

}  // namespace rota

template <>
struct std::hash<rota::Uuid> {
  std::size_t operator()(const rota::Uuid& uuid) const noexcept {
    // Whoever makes an id chooses all of its bits.
    return rota::keyed_hash({reinterpret_cast<const char*>(uuid.bytes.data()), uuid.bytes.size()});
  }
};

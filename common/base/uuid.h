#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <cstring>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace rota {

// 128 bits in the byte order of RFC 9562 (big-endian), which is also their sort order and wire form.
struct Uuid {
  std::array<std::uint8_t, 16> bytes{};

  auto operator<=>(const Uuid&) const = default;
  [[nodiscard]] bool is_nil() const { return *this == Uuid{}; }
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
    // The last 8 bytes hold the 62 random bits of every UUID version in use; one multiply spreads them.
    std::uint64_t tail = 0;
    std::memcpy(&tail, uuid.bytes.data() + 8, sizeof tail);
    return static_cast<std::size_t>(tail * 0x9E3779B97F4A7C15U ^ (tail >> 32U));
  }
};

#include "common/base/job_id.h"

#include <algorithm>

#include "common/base/limits.h"

namespace rota {

Slot slot_of_queue(std::string_view queue) {
  std::uint32_t crc = 0;
  for (const char c : queue) {
    crc ^= static_cast<std::uint32_t>(static_cast<unsigned char>(c)) << 8U;
    for (int bit = 0; bit < 8; ++bit) crc = (crc & 0x8000U) != 0 ? (crc << 1U) ^ 0x1021U : crc << 1U;
    crc &= 0xFFFFU;
  }
  return static_cast<Slot>(crc & 0x0FFFU);
}

JobId make_job_id(Wall made_at, Slot slot, Prng& random) {
  JobId id;
  const auto ms = static_cast<std::uint64_t>(made_at.ms);
  for (std::size_t i = 0; i < 6; ++i) id.bytes[i] = static_cast<std::uint8_t>(ms >> (40 - 8 * i));
  id.bytes[6] = static_cast<std::uint8_t>(0x70U | (slot >> 8U));
  id.bytes[7] = static_cast<std::uint8_t>(slot & 0xFFU);
  const std::uint64_t tail = random.next();
  for (std::size_t i = 0; i < 8; ++i) id.bytes[8 + i] = static_cast<std::uint8_t>(tail >> (56 - 8 * i));
  id.bytes[8] = static_cast<std::uint8_t>((id.bytes[8] & 0x3FU) | 0x80U);
  return id;
}

bool is_job_id(const Uuid& id) { return (id.bytes[6] & 0xF0U) == 0x70U && (id.bytes[8] & 0xC0U) == 0x80U; }

Slot slot_of(const JobId& id) { return static_cast<Slot>(((id.bytes[6] & 0x0FU) << 8U) | id.bytes[7]); }

Wall time_of(const JobId& id) {
  std::int64_t ms = 0;
  for (std::size_t i = 0; i < 6; ++i) ms = ms * 256 + id.bytes[i];
  return Wall{ms};
}

bool is_id_ending(std::string_view digits) {
  const auto is_digit = [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); };
  return digits.size() >= limits::kMinEnding && digits.size() <= 2 * sizeof(JobId::bytes) &&
         std::all_of(digits.begin(), digits.end(), is_digit);
}

std::optional<std::string> parse_id_ending(std::string_view text) {
  std::string digits;  // from the last to the first
  bool after_dash = false;
  for (auto at = text.rbegin(); at != text.rend(); ++at) {
    if (*at == '-') {
      const std::size_t behind = digits.size();
      const bool has_place = behind == 12 || behind == 16 || behind == 20 || behind == 24;
      if (!has_place || after_dash) return std::nullopt;
      after_dash = true;
      continue;
    }
    after_dash = false;
    digits += *at >= 'A' && *at <= 'F' ? static_cast<char>(*at - 'A' + 'a') : *at;
  }
  std::reverse(digits.begin(), digits.end());
  if (!is_id_ending(digits)) return std::nullopt;
  return digits;
}

}  // namespace rota

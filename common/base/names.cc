#include "common/base/names.h"

#include <algorithm>
#include <cstdint>

#include "common/base/limits.h"

namespace rota {
namespace {

bool is_name_character(char c) {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
}

// Length of the well-formed UTF-8 sequence at the start of `text` (RFC 3629), 0 if there is none.
std::size_t utf8_sequence(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<std::uint8_t>(text[i]); };
  const std::uint8_t lead = byte(0);
  if (lead < 0x80) return 1;
  const std::size_t length = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
  if (lead < 0xC2 || lead > 0xF4 || text.size() < length) return 0;
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xC0U) != 0x80U) return 0;
  }
  // Overlong forms, surrogates and code points past U+10FFFF.
  if (lead == 0xE0 && byte(1) < 0xA0) return 0;
  if (lead == 0xED && byte(1) > 0x9F) return 0;
  if (lead == 0xF0 && byte(1) < 0x90) return 0;
  if (lead == 0xF4 && byte(1) > 0x8F) return 0;
  return length;
}

}  // namespace

bool is_valid_queue_name(std::string_view name) {
  return !name.empty() && name.size() <= limits::kMaxQueueName && std::all_of(name.begin(), name.end(), is_name_character);
}

bool is_valid_type_name(std::string_view name) { return is_valid_queue_name(name); }

bool is_valid_worker_name(std::string_view name) {
  return !name.empty() && name.size() <= limits::kMaxWorkerName &&
         std::all_of(name.begin(), name.end(), [](char c) { return c > 0x20 && c < 0x7F; });
}

bool is_valid_text(std::string_view text, std::size_t most) {
  if (text.size() > most) return false;
  while (!text.empty()) {
    const auto lead = static_cast<std::uint8_t>(text.front());
    if (lead < 0x20 || lead == 0x7F) return false;
    const std::size_t length = utf8_sequence(text);
    if (length == 0) return false;
    text.remove_prefix(length);
  }
  return true;
}

}  // namespace rota

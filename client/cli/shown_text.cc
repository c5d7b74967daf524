#include "client/cli/shown_text.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>
#include <utility>
#include <vector>

namespace rota::cli {

namespace {

constexpr std::string_view kEllipsis = "…";
constexpr std::string_view kColoursOff = "\x1b[0m";

struct Glyph {
  std::size_t length = 1;  // bytes
  char32_t code = 0;
  bool valid = false;
};

// The character at the front of a text that is not empty (RFC 3629).
Glyph first_glyph(std::string_view text) {
  const auto byte = [&text](std::size_t i) { return static_cast<std::uint8_t>(text[i]); };
  const std::uint8_t lead = byte(0);
  if (lead < 0x80) return {1, lead, true};
  const std::size_t length = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
  if (lead < 0xC2 || lead > 0xF4 || text.size() < length) return {};
  char32_t code = lead & (0xFFU >> (length + 1));
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xC0U) != 0x80U) return {};
    code = code << 6U | (byte(i) & 0x3FU);
  }
  constexpr std::array<char32_t, 5> kLeast{0, 0, 0x80, 0x800, 0x10000};
  if (code < kLeast[length] || code > 0x10FFFF || (code >= 0xD800 && code <= 0xDFFF)) return {};
  return {length, code, true};
}

using Range = std::pair<char32_t, char32_t>;

template <std::size_t N>
bool is_in(const std::array<Range, N>& ranges, char32_t code) {
  return std::any_of(ranges.begin(), ranges.end(),
                     [code](const Range& range) { return code >= range.first && code <= range.second; });
}

// C0, DEL and C1; marks and overrides of the reading direction; line and paragraph separators.
constexpr std::array<Range, 6> kUnprintable{Range{0x0, 0x1F},      Range{0x7F, 0x9F},     Range{0x200E, 0x200F},
                                            Range{0x2028, 0x202E}, Range{0x2066, 0x2069}, Range{0xFEFF, 0xFEFF}};
constexpr std::array<Range, 16> kCombining{
    Range{0x300, 0x36F},   Range{0x483, 0x489},   Range{0x591, 0x5BD},   Range{0x610, 0x61A},
    Range{0x64B, 0x65F},   Range{0x6D6, 0x6DC},   Range{0x900, 0x902},   Range{0xE31, 0xE31},
    Range{0xE34, 0xE3A},   Range{0xE47, 0xE4E},   Range{0x1AB0, 0x1AFF}, Range{0x1DC0, 0x1DFF},
    Range{0x200B, 0x200D}, Range{0x20D0, 0x20FF}, Range{0xFE00, 0xFE0F}, Range{0xFE20, 0xFE2F}};
constexpr std::array<Range, 14> kWide{
    Range{0x1100, 0x115F}, Range{0x231A, 0x231B},   Range{0x23E9, 0x23EC},   Range{0x2E80, 0x303E},  Range{0x3041, 0xA4CF},
    Range{0xA960, 0xA97F}, Range{0xAC00, 0xD7A3},   Range{0xF900, 0xFAFF},   Range{0xFE30, 0xFE6F},  Range{0xFF00, 0xFF60},
    Range{0xFFE0, 0xFFE6}, Range{0x1F300, 0x1F64F}, Range{0x1F680, 0x1FAFF}, Range{0x20000, 0x3FFFD}};

std::size_t width_of(const Glyph& glyph) {
  if (!glyph.valid || glyph.code < 0x300) return 1;
  if (is_in(kCombining, glyph.code)) return 0;
  return is_in(kWide, glyph.code) ? 2 : 1;
}

void append_escape(std::string& out, const Glyph& glyph, std::string_view bytes) {
  if (glyph.valid && glyph.code == '\n') {
    out += "\\n";
  } else if (glyph.valid && glyph.code == '\r') {
    out += "\\r";
  } else if (glyph.valid && glyph.code == '\t') {
    out += "\\t";
  } else {
    std::array<char, 16> buffer{};
    const bool by_code = glyph.valid && glyph.code >= 0x80;
    const auto number = static_cast<unsigned>(by_code ? glyph.code : static_cast<std::uint8_t>(bytes.front()));
    std::snprintf(buffer.data(), buffer.size(), by_code ? "\\u%04x" : "\\x%02x", number);
    out += buffer.data();
  }
}

// Length of the colour sequence (ESC [ digits and semicolons m) at the front, 0 if there is none.
std::size_t colour_sequence(std::string_view text) {
  if (!text.starts_with("\x1b[")) return 0;
  const std::size_t end = text.find_first_not_of("0123456789;:", 2);
  return end != std::string_view::npos && text[end] == 'm' ? end + 1 : 0;
}

std::string shown(std::string_view text, bool keep_lines, bool keep_colours) {
  std::string out;
  out.reserve(text.size());
  bool coloured = false;
  while (!text.empty()) {
    const Glyph glyph = first_glyph(text);
    std::size_t length = glyph.length;
    const bool is_line_end = text.front() == '\n' || text.starts_with("\r\n");
    if (const std::size_t colours = keep_colours ? colour_sequence(text) : 0; colours > 0) {
      length = colours;
      coloured = true;
      out += text.substr(0, length);
    } else if (keep_lines && (is_line_end || text.front() == '\t')) {
      out += text.front();
    } else if (!glyph.valid || is_in(kUnprintable, glyph.code)) {
      append_escape(out, glyph, text);
    } else {
      out += text.substr(0, length);
    }
    text.remove_prefix(length);
  }
  if (coloured) out += kColoursOff;
  return out;
}

}  // namespace

std::string shown_line(std::string_view text) { return shown(text, false, false); }
std::string shown_lines(std::string_view text) { return shown(text, true, false); }
std::string shown_output(std::string_view bytes) { return shown(bytes, true, true); }

std::size_t display_width(std::string_view text) {
  std::size_t width = 0;
  while (!text.empty()) {
    const Glyph glyph = first_glyph(text);
    width += width_of(glyph);
    text.remove_prefix(glyph.length);
  }
  return width;
}

std::string cut_to_width(std::string_view text, std::size_t columns, bool keep_end) {
  std::size_t width = display_width(text);
  if (width <= columns) return std::string(text);
  if (columns == 0) return {};
  if (keep_end) {
    while (!text.empty() && width > columns - 1) {
      const Glyph glyph = first_glyph(text);
      width -= width_of(glyph);
      text.remove_prefix(glyph.length);
    }
    return std::string(kEllipsis) + std::string(text);
  }
  std::size_t kept = 0;
  std::size_t used = 0;
  for (;;) {
    const Glyph glyph = first_glyph(text.substr(kept));
    if (used + width_of(glyph) > columns - 1) break;
    used += width_of(glyph);
    kept += glyph.length;
  }
  return std::string(text.substr(0, kept)) + std::string(kEllipsis);
}

}  // namespace rota::cli

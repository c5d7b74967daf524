#include "common/base/units.h"

#include <array>
#include <charconv>
#include <cstdio>

#include "common/base/limits.h"

namespace rota {
namespace {

struct Unit {
  std::string_view name;
  std::uint64_t size;
};

constexpr std::array<Unit, 5> kDurations = {{{"d", 86'400'000}, {"h", 3'600'000}, {"m", 60'000}, {"s", 1000}, {"ms", 1}}};
constexpr std::array<Unit, 6> kSizes = {
    {{"TiB", 1ULL << 40U}, {"GiB", 1ULL << 30U}, {"MiB", 1ULL << 20U}, {"KiB", 1ULL << 10U}, {"B", 1}, {"", 1}}};

// Takes the decimal digits at the front of `text`; nothing if there are none or they overflow.
std::optional<std::uint64_t> take_number(std::string_view& text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end == text.data()) return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return value;
}

// Takes `count` digits as a number in [0, most].
std::optional<int> take_digits(std::string_view& text, std::size_t count, int most) {
  if (text.size() < count) return std::nullopt;
  int value = 0;
  for (std::size_t i = 0; i < count; ++i) {
    if (text[i] < '0' || text[i] > '9') return std::nullopt;
    value = value * 10 + (text[i] - '0');
  }
  text.remove_prefix(count);
  if (value > most) return std::nullopt;
  return value;
}

bool take(std::string_view& text, char expected) {
  if (text.empty() || text.front() != expected) return false;
  text.remove_prefix(1);
  return true;
}

// The fraction of a second behind a '.', cut to milliseconds.
std::optional<std::int64_t> take_fraction(std::string_view& text) {
  std::int64_t ms = 0;
  std::int64_t scale = 100;
  std::size_t digits = 0;
  while (!text.empty() && text.front() >= '0' && text.front() <= '9') {
    ms += (text.front() - '0') * scale;
    scale /= 10;
    ++digits;
    text.remove_prefix(1);
  }
  if (digits == 0) return std::nullopt;
  return ms;
}

// 'Z' or '+hh:mm' as an offset in milliseconds.
std::optional<std::int64_t> take_offset(std::string_view& text) {
  if (take(text, 'Z') || take(text, 'z')) return 0;
  const std::int64_t sign = take(text, '-') ? -1 : 1;
  if (sign == 1 && !take(text, '+')) return std::nullopt;
  const auto hours = take_digits(text, 2, 23);
  if (!hours || !take(text, ':')) return std::nullopt;
  const auto minutes = take_digits(text, 2, 59);
  if (!minutes) return std::nullopt;
  return sign * (*hours * 60 + *minutes) * 60'000LL;
}

}  // namespace

std::optional<Millis> parse_duration(std::string_view text) {
  if (text == "0") return Millis{0};
  if (text.empty()) return std::nullopt;
  std::uint64_t total = 0;
  std::size_t next_unit = 0;
  const auto most = static_cast<std::uint64_t>(limits::kMaxDuration.count());
  while (!text.empty()) {
    const auto number = take_number(text);
    if (!number || *number > most) return std::nullopt;
    std::size_t letters = 0;
    while (letters < text.size() && text[letters] >= 'a' && text[letters] <= 'z') ++letters;
    const std::string_view name = text.substr(0, letters);
    std::size_t unit = next_unit;
    while (unit < kDurations.size() && kDurations[unit].name != name) ++unit;
    if (unit == kDurations.size()) return std::nullopt;
    text.remove_prefix(letters);
    next_unit = unit + 1;
    if (*number > most / kDurations[unit].size) return std::nullopt;
    total += *number * kDurations[unit].size;
    if (total > most) return std::nullopt;
  }
  return Millis{static_cast<std::int64_t>(total)};
}

std::string format_duration(Millis value) {
  auto rest = static_cast<std::uint64_t>(value.count() < 0 ? 0 : value.count());
  if (rest == 0) return "0s";
  std::string text;
  for (const Unit& unit : kDurations) {
    if (rest < unit.size) continue;
    text += std::to_string(rest / unit.size);
    text += unit.name;
    rest %= unit.size;
  }
  return text;
}

std::optional<std::uint64_t> parse_size(std::string_view text) {
  const auto number = take_number(text);
  if (!number) return std::nullopt;
  for (const Unit& unit : kSizes) {
    if (unit.name != text) continue;
    if (*number > UINT64_MAX / unit.size) return std::nullopt;
    return *number * unit.size;
  }
  return std::nullopt;
}

std::string format_size(std::uint64_t bytes) {
  for (const Unit& unit : kSizes) {
    if (unit.size == 1 || bytes < unit.size) continue;
    std::array<char, 32> buffer{};
    std::snprintf(buffer.data(), buffer.size(), "%.1f ", static_cast<double>(bytes) / static_cast<double>(unit.size));
    return std::string(buffer.data()) + std::string(unit.name);
  }
  return std::to_string(bytes) + " B";
}

std::optional<Wall> parse_time(std::string_view text) {
  const auto year = take_digits(text, 4, 9999);
  if (!year || !take(text, '-')) return std::nullopt;
  const auto month = take_digits(text, 2, 12);
  if (!month || !take(text, '-')) return std::nullopt;
  const auto day = take_digits(text, 2, 31);
  if (!day || text.empty() || (text.front() != 'T' && text.front() != 't' && text.front() != ' ')) return std::nullopt;
  text.remove_prefix(1);
  const auto hour = take_digits(text, 2, 23);
  if (!hour || !take(text, ':')) return std::nullopt;
  const auto minute = take_digits(text, 2, 59);
  if (!minute || !take(text, ':')) return std::nullopt;
  const auto second = take_digits(text, 2, 60);
  if (!second) return std::nullopt;
  std::int64_t ms = 0;
  if (take(text, '.')) {
    const auto fraction = take_fraction(text);
    if (!fraction) return std::nullopt;
    ms = *fraction;
  }
  const auto offset = take_offset(text);
  if (!offset || !text.empty()) return std::nullopt;
  const std::chrono::year_month_day date{std::chrono::year{*year}, std::chrono::month{static_cast<unsigned>(*month)},
                                         std::chrono::day{static_cast<unsigned>(*day)}};
  if (!date.ok()) return std::nullopt;
  const std::int64_t days = std::chrono::sys_days{date}.time_since_epoch().count();
  const std::int64_t seconds = ((days * 24 + *hour) * 60 + *minute) * 60 + *second;
  return Wall{seconds * 1000 + ms - *offset};
}

std::string format_time(Wall at) {
  const std::chrono::sys_time<Millis> point{Millis{at.ms}};
  const auto midnight = std::chrono::floor<std::chrono::days>(point);
  const std::chrono::year_month_day date{midnight};
  const std::chrono::hh_mm_ss time{point - midnight};
  std::array<char, 64> buffer{};
  std::snprintf(buffer.data(), buffer.size(), "%04d-%02u-%02uT%02d:%02d:%02d.%03dZ", static_cast<int>(date.year()),
                static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                static_cast<int>(time.hours().count()), static_cast<int>(time.minutes().count()),
                static_cast<int>(time.seconds().count()), static_cast<int>(time.subseconds().count()));
  return buffer.data();
}

}  // namespace rota

#include "client/cli/option_takers.h"

#include <charconv>
#include <cmath>

#include "common/base/limits.h"
#include "common/base/names.h"
#include "common/base/units.h"
#include "common/net/endpoint.h"

namespace rota::cli {

namespace {

Error bad(std::string message) { return Error{Code::bad_message, std::move(message)}; }

// A whole number at the front of `text`, which is shortened by it.
std::optional<std::int64_t> take_index(std::string_view& text) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || value < 0) return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return value;
}

constexpr std::uint32_t kMinFactor = limits::kMinBackoffFactorMilli / 1000;
constexpr std::uint32_t kMaxFactor = limits::kMaxBackoffFactorMilli / 1000;

std::optional<std::uint32_t> parse_factor(std::string_view text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || !(value >= kMinFactor && value <= kMaxFactor)) {
    return std::nullopt;
  }
  return static_cast<std::uint32_t>(std::lround(value * 1000));
}

}  // namespace

program::Options::Taker queue_name(std::string& target) {
  return [&target](std::string_view text) -> Status {
    if (!is_valid_queue_name(text)) return bad("give 1 to 64 of A-Z a-z 0-9 . _ -");
    target = text;
    return {};
  };
}

program::Options::Taker type_name(std::string& target) { return queue_name(target); }

program::Options::Taker text_up_to(std::string& target, std::size_t most) {
  return [&target, most](std::string_view text) -> Status {
    if (text.empty() || !is_valid_text(text, most)) {
      return bad("give text without control characters, at most " + std::to_string(most) + " bytes");
    }
    target = text;
    return {};
  };
}

program::Options::Taker time_of_day(Wall& target) {
  return [&target](std::string_view text) -> Status {
    const auto at = parse_time(text);
    if (!at || at->ms <= 0) return bad("give a time like 2026-11-22T10:15:00Z or 2026-11-22T11:15:00+01:00");
    target = *at;
    return {};
  };
}

program::Options::Taker name_value(std::vector<client::StringPair>& target) {
  return [&target](std::string_view text) -> Status {
    const std::size_t sign = text.find('=');
    if (sign == std::string_view::npos || sign == 0) return bad("give NAME=VALUE");
    target.emplace_back(text.substr(0, sign), text.substr(sign + 1));
    return {};
  };
}

program::Options::Taker backoff(client::JobOptions& target) {
  return [&target](std::string_view text) -> Status {
    const Error rule = bad("give DUR, DUR,FACTOR or DUR,FACTOR,MAX with a factor from " + std::to_string(kMinFactor) +
                           " to " + std::to_string(kMaxFactor) + ", such as 1s,2,10m");
    std::vector<std::string_view> parts;
    for (std::size_t comma = text.find(','); comma != std::string_view::npos; comma = text.find(',')) {
      parts.push_back(text.substr(0, comma));
      text.remove_prefix(comma + 1);
    }
    parts.push_back(text);
    const auto first = parse_duration(parts[0]);
    if (!first || parts.size() > 3) return rule;
    target.backoff = *first;
    target.backoff_max = std::max(limits::kDefaultBackoffMax, *first);
    if (parts.size() > 1) {
      const auto factor = parse_factor(parts[1]);
      if (!factor) return rule;
      target.backoff_factor_milli = *factor;
    }
    if (parts.size() > 2) {
      const auto most = parse_duration(parts[2]);
      if (!most) return rule;
      if (*most < *first) return bad("give a MAX that is not below the first wait");
      target.backoff_max = *most;
    }
    return {};
  };
}

program::Options::Taker durability(Durability& target) {
  return [&target](std::string_view text) -> Status {
    const auto value = parse_durability(text);
    if (!value || *value == Durability::written) return bad("give fsync or memory");
    target = *value;
    return {};
  };
}

program::Options::Taker given_duration(std::optional<Millis>& target) {
  return [&target](std::string_view text) -> Status {
    Millis value{0};
    Status taken = program::Options::duration(value)(text);
    if (taken) target = value;
    return taken;
  };
}

program::Options::Taker given_text(std::optional<std::string>& target) {
  return [&target](std::string_view text) -> Status {
    target = std::string(text);
    return {};
  };
}

program::Options::Taker job_id(std::optional<JobId>& target) {
  return [&target](std::string_view text) -> Status {
    const auto id = parse_uuid(text);
    if (!id || !is_job_id(*id)) return bad("give a UUIDv7 as 'rota id' makes them");
    target = *id;
    return {};
  };
}

Result<IndexRange> parse_index_range(std::string_view text) {
  Error rule = bad("give A-B or A-B:STEP with 0 <= A <= B and STEP >= 1, such as 1-100 or 0-99:10");
  const auto first = take_index(text);
  if (!first || text.empty() || text.front() != '-') return rule;
  text.remove_prefix(1);
  const auto last = take_index(text);
  if (!last || *last < *first) return rule;
  IndexRange range{*first, *last, 1};
  if (text.empty()) return range;
  if (text.front() != ':') return rule;
  text.remove_prefix(1);
  const auto step = take_index(text);
  if (!step || *step < 1 || !text.empty()) return rule;
  range.step = *step;
  return range;
}

program::Options::Taker index_range(std::optional<IndexRange>& target) {
  return [&target](std::string_view text) -> Status {
    const Result<IndexRange> range = parse_index_range(text);
    if (!range) return range.error();
    if (range->count() > limits::kMaxArrayTasks) {
      return bad("give a range of at most " + std::to_string(limits::kMaxArrayTasks) + " indexes");
    }
    target = *range;
    return {};
  };
}

program::Options::Taker endpoint(std::string& target) {
  return [&target](std::string_view text) -> Status {
    const auto parts = net::parse_tcp_endpoint(text);
    const bool usable = (parts && parts->port != 0) || (text.starts_with("ipc://") && text.size() > 6);
    if (!usable) return bad("give an endpoint like tcp://10.0.0.5:5555");
    target = text;
    return {};
  };
}

std::string state_names(std::uint32_t states) {
  std::vector<std::string_view> names;
  for (std::uint8_t number = 0; number < kJobStateCount; ++number) {
    const auto state = static_cast<JobState>(number);
    if (state != JobState::blocked && (states & state_bit(state)) != 0) names.push_back(job_state_name(state));
  }
  std::string text;
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (i > 0) text += i + 1 == names.size() ? " or " : ", ";
    text += names[i];
  }
  return text;
}

program::Options::Taker job_states(std::uint32_t& target, std::uint32_t allowed) {
  return [&target, allowed](std::string_view text) -> Status {
    const std::optional<std::uint32_t> states = parse_job_states(text);
    if (!states || (*states & ~allowed) != 0) return bad("give " + state_names(allowed) + "; several separated by commas");
    target = *states;
    return {};
  };
}

program::Options::Taker list_cursor(std::string& target) {
  return [&target](std::string_view text) -> Status {
    std::string bytes;
    for (std::size_t i = 0; i + 1 < text.size(); i += 2) {
      unsigned value = 0;
      const auto [end, error] = std::from_chars(text.data() + i, text.data() + i + 2, value, 16);
      if (error != std::errc{} || end != text.data() + i + 2) break;
      bytes += static_cast<char>(value);
    }
    if (bytes.empty() || bytes.size() * 2 != text.size() || bytes.size() > limits::kMaxCursor) {
      return bad("give the cursor as an earlier 'rota list' printed it");
    }
    target = std::move(bytes);
    return {};
  };
}

std::string hex_text(std::string_view bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    text += kDigits[byte >> 4U];
    text += kDigits[byte & 0xFU];
  }
  return text;
}

}  // namespace rota::cli

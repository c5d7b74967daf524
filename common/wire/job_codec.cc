// What a job is: options, spec, selector; and its stored forms.
#include <string>

#include "common/base/names.h"
#include "common/wire/body_codec.h"

namespace rota::wire {
namespace {

// Keys of the options map. Wire format: never change or reuse one. Keys below kFirstHint change how a job runs, so one that
// is not known is refused; from kFirstHint on they are hints that may be ignored.
enum class Option : std::uint8_t {
  priority = 0,
  delay = 1,
  run_at = 2,
  time_limit = 3,
  retries = 4,
  backoff = 5,
  backoff_factor = 6,
  backoff_max = 7,
  losses = 8,
  expires = 9,
  keep = 10,
  key_for = 11,
  durability = 12,
  stop_on_disconnect = 13,
  // Reserved: 14 group, 15 index within the group, 16 after, 17 requirements.
};
constexpr std::uint64_t kFirstHint = 32;

void read_option(Reader& reader, std::uint64_t key, JobOptions& options) {
  const auto field = [&](const char* name) -> Reader& {
    reader.set_field(name);
    return reader;
  };
  switch (static_cast<Option>(key)) {
    case Option::priority:
      options.priority = static_cast<std::int8_t>(field("priority").integer(-128, 127));
      return;
    case Option::delay:
      options.delay = field("delay").duration();
      return;
    case Option::run_at:
      options.run_at = field("run_at").wall();
      return;
    case Option::time_limit:
      options.time_limit = field("time_limit").duration();
      return;
    case Option::retries:
      options.retries = field("retries").number32(limits::kMaxRetries);
      return;
    case Option::backoff:
      options.backoff = field("backoff").duration();
      return;
    case Option::backoff_factor:
      options.backoff_factor_milli = static_cast<std::uint32_t>(
          field("backoff_factor").integer(limits::kMinBackoffFactorMilli, limits::kMaxBackoffFactorMilli));
      return;
    case Option::backoff_max:
      options.backoff_max = field("backoff_max").duration();
      return;
    case Option::losses:
      options.losses = field("losses").number32(limits::kMaxLosses);
      return;
    case Option::expires:
      options.expires = field("expires").duration();
      return;
    case Option::keep:
      options.keep = field("keep").duration();
      return;
    case Option::key_for:
      options.key_for = field("key_for").duration();
      return;
    case Option::durability:
      options.durability = field("durability").durability();
      return;
    case Option::stop_on_disconnect:
      options.stop_on_disconnect = field("stop_on_disconnect").boolean();
      return;
  }
  reader.set_field("option");
  reader.fail(Code::bad_message, std::to_string(key) + " is not supported");
}

std::size_t bytes_of(const std::vector<Pair>& pairs) {
  std::size_t bytes = 0;
  for (const auto& [name, value] : pairs) bytes += name.size() + value.size();
  return bytes;
}

void read_env(Reader& reader, std::vector<Pair>& env) {
  const std::uint32_t count = reader.array(limits::kMaxArguments * 2);
  if (count % 2 != 0) reader.fail(Code::bad_message, "must alternate names and values");
  env.reserve(count / 2);
  for (std::uint32_t i = 0; i < count / 2 && reader.ok(); ++i) {
    Pair& pair = env.emplace_back();
    pair.first = reader.bytes_without_nul(limits::kMaxCommandBytes);
    if (reader.ok() && (pair.first.empty() || pair.first.find('=') != std::string_view::npos)) {
      reader.fail(Code::bad_message, "has a name that is empty or holds '='");
    }
    pair.second = reader.bytes_without_nul(limits::kMaxCommandBytes);
  }
}

// [argv, env, cwd]
void read_command(Reader& reader, Command& command) {
  Fields fields(reader, "command");
  const std::uint32_t count = fields.at("command argv").array(limits::kMaxArguments);
  if (reader.ok() && count == 0) reader.fail(Code::bad_message, "is empty; name the program to run");
  command.argv.reserve(count);
  std::size_t bytes = 0;
  for (std::uint32_t i = 0; i < count && reader.ok(); ++i) {
    command.argv.push_back(reader.bytes_without_nul(limits::kMaxCommandBytes));
    bytes += command.argv.back().size();
  }
  if (fields.has("command env")) read_env(reader, command.env);
  if (fields.has("command cwd")) command.cwd = reader.bytes_without_nul(limits::kMaxCommandBytes);
  if (!reader.ok()) return;
  reader.set_field("command");
  bytes += bytes_of(command.env) + command.cwd.size();
  if (bytes > limits::kMaxCommandBytes) reader.fail_over_bytes(bytes, limits::kMaxCommandBytes);
  const std::size_t entries = command.argv.size() + command.env.size();
  if (entries > limits::kMaxArguments) {
    reader.fail(Code::too_large, "has " + std::to_string(entries) +
                                     " arguments and environment entries, over the limit of " +
                                     std::to_string(limits::kMaxArguments));
  }
}

void write_command(Writer& writer, const Command& command) {
  const std::size_t fields = !command.cwd.empty() ? 3 : !command.env.empty() ? 2 : 1;
  writer.array(fields);
  writer.array(command.argv.size());
  for (const std::string_view argument : command.argv) writer.bytes(argument);
  if (fields < 2) return;
  if (command.env.empty()) {
    writer.nil();
  } else {
    writer.array(command.env.size() * 2);
    for (const auto& [name, value] : command.env) {
      writer.bytes(name);
      writer.bytes(value);
    }
  }
  if (fields == 3) writer.bytes(command.cwd);
}

}  // namespace

void read_options(Reader& reader, JobOptions& options) {
  const std::uint32_t count = reader.map(limits::kMaxMapKeys);
  for (std::uint32_t i = 0; i < count && reader.ok(); ++i) {
    reader.set_field("option key");
    const std::uint64_t key = reader.number();
    if (!reader.ok()) return;
    if (key >= kFirstHint) {
      reader.skip();
    } else {
      read_option(reader, key, options);
    }
  }
}

void write_options(Writer& writer, const JobOptions& options) {
  const JobOptions defaults;
  // Twice over the same list: first to count what differs from its default, then to write it.
  const auto visit = [&](auto&& put) {
    const auto integer = [&](Option key, std::int64_t value, std::int64_t standard) {
      if (value != standard) put(key, [&writer, value] { writer.integer(value); });
    };
    const auto duration = [&](Option key, Millis value, Millis standard) { integer(key, value.count(), standard.count()); };
    integer(Option::priority, options.priority, defaults.priority);
    duration(Option::delay, options.delay, defaults.delay);
    integer(Option::run_at, options.run_at.ms, defaults.run_at.ms);
    duration(Option::time_limit, options.time_limit, defaults.time_limit);
    integer(Option::retries, options.retries, defaults.retries);
    duration(Option::backoff, options.backoff, defaults.backoff);
    integer(Option::backoff_factor, options.backoff_factor_milli, defaults.backoff_factor_milli);
    duration(Option::backoff_max, options.backoff_max, defaults.backoff_max);
    integer(Option::losses, options.losses, defaults.losses);
    duration(Option::expires, options.expires, defaults.expires);
    duration(Option::keep, options.keep, defaults.keep);
    duration(Option::key_for, options.key_for, defaults.key_for);
    integer(Option::durability, static_cast<std::int64_t>(options.durability),
            static_cast<std::int64_t>(defaults.durability));
    if (options.stop_on_disconnect) put(Option::stop_on_disconnect, [&writer] { writer.boolean(true); });
  };
  std::size_t count = 0;
  visit([&](Option, auto&&) { ++count; });
  writer.map(count);
  visit([&](Option key, auto&& value) {
    writer.number(static_cast<std::uint64_t>(key));
    value();
  });
}

void read_strings(Reader& reader, std::size_t most_pairs, std::size_t most_bytes, std::vector<Pair>& pairs) {
  const std::uint32_t count = reader.map(most_pairs);
  pairs.reserve(count);
  for (std::uint32_t i = 0; i < count && reader.ok(); ++i) {
    Pair pair;
    pair.first = reader.clean_text(most_bytes);
    pair.second = reader.clean_text(most_bytes);
    if (!reader.ok()) return;
    if (pair.first.empty()) reader.fail(Code::bad_message, "have an entry without a name");
    for (const Pair& other : pairs) {
      if (other.first == pair.first) reader.fail(Code::bad_message, "name an entry twice");
    }
    pairs.push_back(pair);
  }
  if (reader.ok() && bytes_of(pairs) > most_bytes) reader.fail_over_bytes(bytes_of(pairs), most_bytes);
}

void write_strings(Writer& writer, const std::vector<Pair>& pairs) {
  writer.map(pairs.size());
  for (const auto& [name, value] : pairs) {
    writer.str(name);
    writer.str(value);
  }
}

// [command, headers, name], trailing nils cut.
void read_spec(Reader& reader, Spec& spec) {
  Fields fields(reader, "spec");
  if (fields.has("command")) read_command(reader, spec.command.emplace());
  if (fields.has("headers")) read_strings(reader, limits::kMaxHeaders, limits::kMaxHeaderBytes, spec.headers);
  if (fields.has("name")) spec.name = reader.clean_text(limits::kMaxJobName);
}

void write_spec(Writer& writer, const Spec& spec) {
  const std::size_t fields = !spec.name.empty() ? 3 : !spec.headers.empty() ? 2 : spec.command ? 1 : 0;
  writer.array(fields);
  if (fields >= 1) {
    if (spec.command) {
      write_command(writer, *spec.command);
    } else {
      writer.nil();
    }
  }
  if (fields >= 2) {
    if (spec.headers.empty()) {
      writer.nil();
    } else {
      write_strings(writer, spec.headers);
    }
  }
  if (fields == 3) writer.str(spec.name);
}

void read_selector(Reader& reader, Selector& selector) {
  switch (reader.next_kind()) {
    case ValueKind::nil:
      reader.skip();
      return;
    case ValueKind::number:
    case ValueKind::negative:
      selector.kind = Selector::Kind::index;
      selector.index = reader.integer();
      return;
    case ValueKind::bytes:
      selector.kind = Selector::Kind::line;
      selector.line = reader.bytes_without_nul(limits::kMaxLine);
      return;
    default:
      reader.fail(Code::bad_message, "must be nil, an integer (index) or a bin (line)");
  }
}

void write_selector(Writer& writer, const Selector& selector) {
  switch (selector.kind) {
    case Selector::Kind::none:
      writer.nil();
      return;
    case Selector::Kind::index:
      writer.integer(selector.index);
      return;
    case Selector::Kind::line:
      writer.bytes(selector.line);
      return;
  }
}

void encode_spec(const Spec& spec, std::string& out) {
  Writer writer(out);
  write_spec(writer, spec);
}

Result<Spec> decode_spec(std::string_view bytes) {
  Tape tape;
  if (const Status parsed = tape.parse(bytes); !parsed)
    return Error{parsed.error().code, "spec: " + parsed.error().message};
  Reader reader(tape.entries(), "spec");
  Spec spec;
  read_spec(reader, spec);
  if (!reader.ok()) return reader.take_error();
  return spec;
}

// [payload, selector], a trailing nil cut.
void encode_item_body(const Selector& selector, std::string_view payload, std::string& out) {
  Writer writer(out);
  const bool selected = selector.kind != Selector::Kind::none;
  writer.array(selected ? 2 : 1);
  writer.bytes(payload);
  if (selected) write_selector(writer, selector);
}

Result<ItemBody> decode_item_body(std::string_view bytes) {
  Tape tape;
  if (const Status parsed = tape.parse(bytes); !parsed) return Error{parsed.error().code, "job: " + parsed.error().message};
  Reader reader(tape.entries(), "job");
  ItemBody body;
  {
    Fields fields(reader, "body");
    body.payload = fields.at("payload").bytes(limits::kLargestMaxPayload);
    if (fields.has("selector")) read_selector(reader, body.selector);
  }
  if (!reader.ok()) return reader.take_error();
  return body;
}

}  // namespace rota::wire

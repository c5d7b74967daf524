#include "common/program/options.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <utility>

#include "common/base/limits.h"
#include "common/base/units.h"
#include "common/program/config_file.h"
#include "common/program/exit_code.h"
#include "common/program/nearest.h"
#include "common/program/version.h"

namespace rota::program {
namespace {

std::string environment_name(const std::string& option) {
  std::string name = "ROTA_" + option;
  for (char& c : name) c = c == '-' ? '_' : static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return name;
}

std::vector<std::string> split_at_commas(std::string_view text) {
  std::vector<std::string> parts;
  for (;;) {
    const std::size_t comma = text.find(',');
    parts.emplace_back(text.substr(0, comma));
    if (comma == std::string_view::npos) return parts;
    text.remove_prefix(comma + 1);
  }
}

Error bad(std::string message) { return Error{Code::bad_message, std::move(message)}; }

// A bound as it could be given.
std::string option_size(std::uint64_t bytes) {
  if (bytes > 0 && bytes % limits::GiB == 0) return std::to_string(bytes / limits::GiB) + "GiB";
  if (bytes > 0 && bytes % limits::MiB == 0) return std::to_string(bytes / limits::MiB) + "MiB";
  if (bytes > 0 && bytes % limits::KiB == 0) return std::to_string(bytes / limits::KiB) + "KiB";
  return std::to_string(bytes) + "B";
}

}  // namespace

struct Options::State {
  struct Entry {
    Spec spec;
    Taker taker;
    CLI::Option* option = nullptr;
    std::vector<std::string> values;  // from the command line
    bool is_flag = false;
  };

  State(std::string program, const std::string& description) : name(std::move(program)), app(description, name) {}

  [[nodiscard]] bool is_active(const Entry& entry) const { return entry.spec.scope == &app || entry.spec.scope->parsed(); }
  // The table of the file that an option of `scope` stands in: "" for the program's own.
  [[nodiscard]] std::string table_of(const CLI::App* scope) const { return scope == &app ? "" : scope->get_name(); }

  std::string name;
  CLI::App app;
  std::deque<Entry> entries;  // stable addresses: CLI11 keeps references
  std::string config_path;
  std::string log_level = "info";
  std::string log_format = "text";
  UsagePrinter usage_printer;
};

Options::Options(std::string name, std::string description)
    : state_(std::make_unique<State>(std::move(name), description)) {
  CLI::App& app = state_->app;
  app.set_version_flag("--version", state_->name + " " + std::string(kVersion), "Print the version and leave");
  app.set_help_flag("--help,-h", "Print this help and leave");
  app.option_defaults()->always_capture_default(false);
  app.get_formatter()->label("REQUIRED", "");
  add({.name = "config", .placeholder = "FILE", .help = "Read options from this TOML file", .in_file = false},
      text(state_->config_path));
  add({.name = "log-level", .placeholder = "LEVEL", .help = "trace, debug, info, warn, error or off [info]"},
      choice(state_->log_level, {"trace", "debug", "info", "warn", "error", "off"}));
  add({.name = "log-format", .placeholder = "FORMAT", .help = "text or json [text]"},
      choice(state_->log_format, {"text", "json"}));
}
Options::~Options() = default;

CLI::App& Options::app() { return state_->app; }
const std::string& Options::log_level() const { return state_->log_level; }
const std::string& Options::log_format() const { return state_->log_format; }

void Options::add(Spec spec, Taker taker) {
  if (spec.scope == nullptr) spec.scope = &state_->app;
  auto& entry = state_->entries.emplace_back(State::Entry{std::move(spec), std::move(taker), nullptr, {}, false});
  entry.option = entry.spec.scope->add_option("--" + entry.spec.name, entry.values, entry.spec.help);
  entry.option->type_name(entry.spec.placeholder)->type_size(1)->expected(1)->allow_extra_args(false);
  entry.option->multi_option_policy(entry.spec.repeatable ? CLI::MultiOptionPolicy::TakeAll
                                                          : CLI::MultiOptionPolicy::Throw);
}

void Options::flag(Spec spec, bool& target) {
  if (spec.scope == nullptr) spec.scope = &state_->app;
  Taker taker = [&target](std::string_view text) -> Status {
    if (text != "true" && text != "1" && text != "false" && text != "0") return bad("give true or false");
    target = text == "true" || text == "1";
    return {};
  };
  auto& entry = state_->entries.emplace_back(State::Entry{std::move(spec), std::move(taker), nullptr, {}, true});
  entry.option = entry.spec.scope->add_flag("--" + entry.spec.name)->description(entry.spec.help);
}

Options::Taker Options::text(std::string& target) {
  return [&target](std::string_view text) -> Status {
    target = text;
    return {};
  };
}

Options::Taker Options::duration(Millis& target, Millis least) {
  return [&target, least](std::string_view text) -> Status {
    const auto value = parse_duration(text);
    if (!value)
      return bad("give a duration like 500ms, 10s, 5m, 2h, 7d or 1h30m, at most " + format_duration(limits::kMaxDuration));
    if (*value < least) return bad("give at least " + format_duration(least));
    target = *value;
    return {};
  };
}

Options::Taker Options::size(std::uint64_t& target, std::uint64_t least, std::uint64_t most) {
  return [&target, least, most](std::string_view text) -> Status {
    const auto value = parse_size(text);
    if (!value) return bad("give a size like 100B, 64KiB, 1MiB or 2GiB");
    if (*value < least || *value > most) {
      if (most == UINT64_MAX) return bad("give a size of at least " + option_size(least));
      return bad("give a size from " + option_size(least) + " to " + option_size(most));
    }
    target = *value;
    return {};
  };
}

Options::Taker Options::integer(std::int64_t& target, std::int64_t least, std::int64_t most) {
  return [&target, least, most](std::string_view text) -> Status {
    std::int64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size() || value < least || value > most) {
      return bad("give a whole number from " + std::to_string(least) + " to " + std::to_string(most));
    }
    target = value;
    return {};
  };
}

Options::Taker Options::choice(std::string& target, std::vector<std::string> allowed) {
  return [&target, allowed = std::move(allowed)](std::string_view text) -> Status {
    if (std::find(allowed.begin(), allowed.end(), text) != allowed.end()) {
      target = text;
      return {};
    }
    std::string list;
    for (std::size_t i = 0; i < allowed.size(); ++i) {
      if (i > 0) list += i + 1 == allowed.size() ? " or " : ", ";
      list += allowed[i];
    }
    return bad("give " + list);
  };
}

void Options::print_usage_errors_with(UsagePrinter printer) { state_->usage_printer = std::move(printer); }

int Options::usage_error(std::string_view message) const {
  if (state_->usage_printer) {
    state_->usage_printer(message);
    return kExitUsage;
  }
  std::fprintf(stderr, "%s: %.*s\n", state_->name.c_str(), static_cast<int>(message.size()), message.data());
  return kExitUsage;
}

std::optional<int> Options::parse(int argc, const char* const* argv) {
  try {
    state_->app.parse(argc, argv);
  } catch (const CLI::CallForHelp&) {
    std::fputs(state_->app.help().c_str(), stdout);
    return kExitOk;
  } catch (const CLI::CallForVersion&) {
    std::printf("%s %s\n", state_->name.c_str(), std::string(kVersion).c_str());
    return kExitOk;
  } catch (const CLI::ExtrasError&) {
    return usage_error(explain_extras() + "; see " + state_->name + " --help");
  } catch (const CLI::ParseError& error) {
    return usage_error(std::string(error.what()) + "; see " + state_->name + " --help");
  }
  return take_all();
}

// The first option that is not known, otherwise the first word without meaning, and what it may have been meant for.
std::string Options::explain_extras() const {
  const std::vector<std::string> extras = state_->app.remaining(true);
  auto wrong = std::find_if(extras.begin(), extras.end(), [](const std::string& word) { return word.starts_with("-"); });
  std::vector<std::string> known;
  if (wrong != extras.end()) {
    for (const State::Entry& entry : state_->entries) {
      if (state_->is_active(entry)) known.push_back("--" + entry.spec.name);
    }
  } else {
    wrong = extras.begin();
    if (state_->app.get_subcommands().empty()) {
      for (const CLI::App* command : state_->app.get_subcommands(nullptr)) known.push_back(command->get_name());
    }
  }
  if (wrong == extras.end()) return "unknown option or argument";
  const std::string given = wrong->substr(0, wrong->find('='));
  std::string text = "unknown option or argument: " + given;
  const std::string nearest = nearest_word(given, known);
  if (!nearest.empty() && edit_distance(nearest, given) <= given.size() / 2) text += " (did you mean '" + nearest + "'?)";
  return text;
}

// Hands every option its value from the strongest source.
std::optional<int> Options::take_all() {
  ConfigFile file;
  for (State::Entry& entry : state_->entries) {
    if (!state_->is_active(entry)) continue;
    std::vector<std::string> values = entry.values;
    std::string source = "--" + entry.spec.name;
    if (entry.is_flag && entry.option->count() > 0) values = {"true"};
    const std::string variable = entry.spec.environment.value_or(environment_name(entry.spec.name));
    if (const char* text = values.empty() && !variable.empty() ? std::getenv(variable.c_str()) : nullptr) {
      source = variable;
      values = entry.spec.repeatable ? split_at_commas(text) : std::vector<std::string>{text};
    }
    if (values.empty() && entry.spec.in_file) {
      source = state_->config_path + ": " + entry.spec.name;
      values = file.values(state_->table_of(entry.spec.scope), entry.spec.name);
      if (values.size() > 1 && !entry.spec.repeatable) return usage_error(source + " takes one value, not an array");
    }
    for (const std::string& value : values) {
      const Status taken = entry.taker(value);
      if (!taken) return usage_error(source + ": '" + value + "' is not allowed; " + taken.error().message);
    }
    if (entry.spec.name == "config" && entry.spec.scope == &state_->app && !state_->config_path.empty()) {
      auto read = ConfigFile::read(state_->config_path);
      if (!read) return usage_error(read.error().message);
      file = std::move(*read);
      const std::vector<CLI::App*> commands = state_->app.get_subcommands();
      const std::string table = commands.empty() ? "" : commands.front()->get_name();
      if (const Status known = file.check_keys(keys(true), keys(false), table); !known) {
        return usage_error(known.error().message);
      }
    }
  }
  return std::nullopt;
}

std::vector<ConfigKey> Options::keys(bool in_file) const {
  std::vector<ConfigKey> keys;
  for (const State::Entry& entry : state_->entries) {
    const bool own = !entry.spec.in_file && entry.spec.environment == "";
    if (in_file ? entry.spec.in_file : own) keys.push_back({state_->table_of(entry.spec.scope), entry.spec.name});
  }
  return keys;
}

}  // namespace rota::program

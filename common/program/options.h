#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/clock.h"
#include "common/base/result.h"
#include "common/program/config_file.h"

namespace CLI {
class App;
}

// The command line of the three programs: option, then environment, then TOML file (--config), with one way of reporting
// what is wrong. Adds --help, --version, --config, --log-level and --log-format by itself.
namespace rota::program {

class Options {
 public:
  // `name` is the program's ("rota-broker"), first word of every error line.
  Options(std::string name, std::string description);
  ~Options();
  Options(const Options&) = delete;
  Options& operator=(const Options&) = delete;

  // The underlying parser, for positionals and subcommands. Every named option goes through add()/flag() instead.
  [[nodiscard]] CLI::App& app();

  // Takes the text of a value, or says what is allowed ("a duration like 500ms, 10s, 1h30m").
  using Taker = std::function<Status(std::string_view text)>;

  // Declares `--name VALUE` on `scope` (null: the program itself). Environment ROTA_NAME unless `environment` names another
  // variable or is "" (none). `repeatable`: each occurrence is taken; from the environment the value is split at commas, in
  // the file it may be an array. `taker` is called after all sources are known, for the winning one only.
  struct Spec {
    CLI::App* scope = nullptr;
    std::string name{};         // without dashes
    std::string placeholder{};  // "DUR"
    std::string help{};
    std::optional<std::string> environment{};
    bool repeatable = false;
    bool in_file = true;
  };
  void add(Spec spec, Taker taker);
  void flag(Spec spec, bool& target);

  // Takers for common kinds; each writes the target.
  [[nodiscard]] static Taker text(std::string& target);
  [[nodiscard]] static Taker duration(Millis& target, Millis least = Millis{0});
  [[nodiscard]] static Taker size(std::uint64_t& target, std::uint64_t least = 0, std::uint64_t most = UINT64_MAX);
  [[nodiscard]] static Taker integer(std::int64_t& target, std::int64_t least, std::int64_t most);
  [[nodiscard]] static Taker choice(std::string& target, std::vector<std::string> allowed);

  // Parses all. Nothing: go on. A number: exit with it (help and version printed to stdout, usage errors to stderr).
  [[nodiscard]] std::optional<int> parse(int argc, const char* const* argv);

  [[nodiscard]] const std::string& log_level() const;   // "info"
  [[nodiscard]] const std::string& log_format() const;  // "text" or "json"
  // Prints "<program>: <message>" to stderr and returns kExitUsage, for rules between options.
  [[nodiscard]] int usage_error(std::string_view message) const;
  // Prints usage errors in another way from now on.
  using UsagePrinter = std::function<void(std::string_view message)>;
  void print_usage_errors_with(UsagePrinter printer);

 private:
  struct State;
  [[nodiscard]] std::string explain_extras() const;
  [[nodiscard]] std::optional<int> take_all();
  // Those that a file can hold, or those that only the command line can give.
  [[nodiscard]] std::vector<ConfigKey> keys(bool in_file) const;

  std::unique_ptr<State> state_;
};

}  // namespace rota::program

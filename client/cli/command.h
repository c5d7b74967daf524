#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "common/program/options.h"

namespace rota::cli {

class Session;

// One subcommand of `rota`: its options, and what it does.
class Command {
 public:
  Command(std::string name, std::string help) : name_(std::move(name)), help_(std::move(help)) {}
  virtual ~Command() = default;
  Command(const Command&) = delete;
  Command& operator=(const Command&) = delete;

  // Declares its named options on its scope.
  virtual void declare(program::Options& options, CLI::App* scope);
  // Returns the exit code. What went wrong has been printed.
  [[nodiscard]] virtual int run(Session& session) = 0;

  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] const std::string& help() const { return help_; }

  // The words behind the name: what they are called in the help, and how many there may be.
  struct Positional {
    std::string placeholder;  // empty: none
    std::string help;
    std::size_t least = 0;
    std::size_t most = 0;  // 0: no limit
  };
  [[nodiscard]] virtual Positional positional() const { return {}; }
  [[nodiscard]] std::vector<std::string>& arguments() { return arguments_; }
  // Whether words behind "--" mean anything to it.
  [[nodiscard]] virtual bool takes_command_line() const { return false; }

 private:
  std::string name_;
  std::string help_;
  std::vector<std::string> arguments_;
};

// Every subcommand, in the order of the help.
[[nodiscard]] std::vector<std::unique_ptr<Command>> all_commands();

}  // namespace rota::cli

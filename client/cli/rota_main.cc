#include <CLI/CLI.hpp>
#include <memory>
#include <string>
#include <vector>

#include "client/cli/command.h"
#include "client/cli/output_choice.h"
#include "client/cli/session.h"
#include "common/program/exit_code.h"
#include "common/program/options.h"
#include "common/program/standard_streams.h"

namespace {

using rota::cli::Command;
using rota::cli::Session;

CLI::App* declare(Command& command, rota::program::Options& options) {
  CLI::App* scope = options.app().add_subcommand(command.name(), command.help());
  scope->fallthrough();  // --broker, --timeout and --output are taken behind the command's name as well
  const Command::Positional words = command.positional();
  if (!words.placeholder.empty()) {
    const int most = words.most == 0 ? CLI::detail::expected_max_vector_size : static_cast<int>(words.most);
    scope->add_option(words.placeholder, command.arguments(), words.help)
        ->expected(static_cast<int>(words.least), most)
        ->required(words.least > 0)
        ->type_name("");
  }
  std::string more = "--broker, --timeout and --output are taken here too; see rota --help";
  if (command.takes_command_line()) {
    more = "The command stands behind \"--\": rota " + command.name() + " [OPTIONS] -- COMMAND [ARG...]\n" + more;
  }
  scope->footer(more);
  command.declare(options, scope);
  return scope;
}

// Everything behind the first "--" is the job's command, options of its own included.
void split_command_line(int argc, const char* const* argv, std::vector<const char*>& own, Session& session) {
  for (int i = 0; i < argc; ++i) {
    if (i > 0 && std::string_view(argv[i]) == "--") {
      session.command_line.emplace(argv + i + 1, argv + argc);
      return;
    }
    own.push_back(argv[i]);
  }
}

// The exit code, apart from whether all could be written to stdout.
int run(int argc, char** argv, rota::program::Options& options, Session& session) {
  session.declare_common();
  std::vector<std::unique_ptr<Command>> commands = rota::cli::all_commands();
  std::vector<CLI::App*> scopes;
  for (const auto& command : commands) scopes.push_back(declare(*command, options));
  options.app().footer("A job's command stands behind \"--\": rota submit --wait -- convert in.png out.jpg");

  std::vector<const char*> own;
  split_command_line(argc, argv, own, session);
  session.expect_output(rota::cli::output_chosen(own));
  if (const auto exit = options.parse(static_cast<int>(own.size()), own.data())) return *exit;
  for (std::size_t i = 0; i < commands.size(); ++i) {
    if (!scopes[i]->parsed()) continue;
    if (session.command_line && !commands[i]->takes_command_line()) {
      return session.usage("'" + commands[i]->name() + "' takes no command behind \"--\"; see rota --help");
    }
    return commands[i]->run(session);
  }
  return session.usage("give a command; see rota --help");
}

}  // namespace

int main(int argc, char** argv) {
  rota::program::open_standard_streams();
  rota::program::Options options("rota", "Submits jobs to a Rota broker, waits for them and tells about them.");
  Session session(options);
  return session.finish(run(argc, argv, options, session));
}

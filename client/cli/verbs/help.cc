// deconvoy help: the same pages as --help, for who asks this way.
#include "client/cli/parse_error.h"
#include "client/cli/verbs/verbs.h"

namespace deconvoy::client {
namespace {

struct HelpOptions {
  std::string command;
};

constexpr char kExamples[] = R"(  deconvoy help run
      the same as deconvoy run --help)";

absl::Status Show(const HelpOptions& options, Program& program) {
  // A parser on which no command is chosen.
  const auto root = MakeParser(program);
  if (options.command.empty()) {
    program.console.out << root->help();
    return absl::OkStatus();
  }
  for (const CLI::App* verb : root->get_subcommands({})) {
    if (verb->get_name() != options.command) continue;
    program.console.out << verb->help(root->get_name());
    return absl::OkStatus();
  }
  return UnknownCommand(*root, options.command);
}

}  // namespace

void AddHelp(CLI::App& root, Program& program) {
  AddVerb<HelpOptions>(
      root, program, "help", "Print the help of the program or of one command.", kExamples,
      [](CLI::App& verb, HelpOptions& options) {
        verb.add_option("COMMAND", options.command, "Command to explain")->type_name("COMMAND");
      },
      [&program](const HelpOptions& options) { return Show(options, program); });
}

}  // namespace deconvoy::client

// deconvoy help: the same pages as --help, for who asks this way.
#include <algorithm>
#include <string>
#include <vector>

#include "client/cli/parse_error.h"
#include "client/cli/verbs/verbs.h"

namespace deconvoy::client {
namespace {

struct HelpOptions {
  std::vector<std::string> command;  // the second word is one of a group
};

constexpr char kExamples[] = R"(  deconvoy help run
      the same as deconvoy run --help
  deconvoy help psf generate
      of one command of a group)";

absl::Status Show(const HelpOptions& options, Program& program) {
  // A parser on which no command is chosen.
  const auto root = MakeParser(program);
  const CLI::App* app = root.get();
  std::string before;
  for (const std::string& word : options.command) {
    const auto verbs = app->get_subcommands({});
    const auto found =
        std::find_if(verbs.begin(), verbs.end(), [&word](const CLI::App* verb) { return verb->get_name() == word; });
    if (found == verbs.end()) return UnknownCommand(*app, word);
    before += (before.empty() ? "" : " ") + app->get_name();
    app = *found;
  }
  program.console.out << app->help(before);
  return absl::OkStatus();
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

#include "client/cli/program.h"

#include <fmt/format.h>

#include <utility>

#include "client/cli/help.h"
#include "client/cli/outcome.h"
#include "client/cli/verbs/verbs.h"
#include "proto/contract/error.h"

namespace deconvoy::client {
namespace {

constexpr char kAbout[] =
    "Deconvolution of 3-D fluorescence microscopy stacks, on this machine or on a server.\n"
    "Order is Z,Y,X everywhere, lengths are in micrometres.";

constexpr char kFooter[] = R"(
Examples:
  deconvoy run raw.tif --psf psf.tif -o out.tif
      deconvolve a stack on this machine
  deconvoy run raw.tif --psf psf.tif -o out.tif --server facility:7450
      the same on a server
  deconvoy simulate -o sample --shape 64,256,256
      make a specimen to try things on
  deconvoy run --help
      options of a command, with examples

Exit codes: 0 ok, 2 wrong command line, 3 invalid input, 4 server not reached, 5 job failed, 6 cancelled, 7 refused.)";

// The verb on the command line, or the program itself.
const CLI::App& Chosen(const CLI::App& root) {
  const auto verbs = root.get_subcommands();
  return verbs.empty() ? root : *verbs.front();
}

std::vector<std::string> OptionNames(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::Option* option : app.get_options())
    for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
  return names;
}

std::vector<std::string> VerbNames(const CLI::App& root) {
  std::vector<std::string> names;
  for (const CLI::App* verb : root.get_subcommands({}))
    if (!verb->get_group().empty()) names.push_back(verb->get_name());
  return names;
}

std::string HelpCommand(const CLI::App& root) {
  const CLI::App& chosen = Chosen(root);
  return &chosen == &root ? "deconvoy --help" : fmt::format("deconvoy {} --help", chosen.get_name());
}

absl::Status Unknown(const CLI::App& root, const std::string& argument, const std::vector<std::string>& known,
                     std::string_view kind) {
  const std::string nearest = Nearest(argument.substr(0, argument.find('=')), known);
  return UsageError(fmt::format("unknown {} '{}'", kind, Printable(argument)),
                    nearest.empty() ? fmt::format("See `{}`.", HelpCommand(root))
                                    : fmt::format("Did you mean `{}`? See `{}`.", nearest, HelpCommand(root)));
}

// What the parser could not use, said with the nearest thing it could.
absl::Status ToStatus(const CLI::App& root, const CLI::ParseError& error) {
  const CLI::App& chosen = Chosen(root);
  const auto rest = root.remaining(true);
  if (&chosen == &root && !rest.empty()) {
    const bool option = rest.front().starts_with("-");
    return Unknown(root, rest.front(), option ? OptionNames(root) : VerbNames(root), option ? "option" : "command");
  }
  for (const std::string& argument : rest)
    if (argument.starts_with("-")) return Unknown(root, argument, OptionNames(chosen), "option");
  if (!rest.empty()) return Unknown(root, rest.front(), {}, "argument");
  if (&chosen == &root) return UsageError("no command is given", fmt::format("See `{}`.", HelpCommand(root)));
  return UsageError(Printable(error.what()), fmt::format("See `{}`.", HelpCommand(root)));
}

void Report(const Console& console, const absl::Status& error) {
  console.err << ErrorText(error) << std::flush;
  if (console.json) console.Json(ErrorJson(error));
}

}  // namespace

std::unique_ptr<CLI::App> MakeParser(Program& program) {
  auto root = std::make_unique<CLI::App>(kAbout, "deconvoy");
  root->footer(kFooter);
  root->require_subcommand(1);
  root->formatter(std::make_shared<HelpFormatter>(program.console.columns));
  root->set_help_flag("-h,--help", "Print this help");
  for (const auto add : AllVerbs()) add(*root, program);
  return root;
}

int RunProgram(Program& program, int argc, const char* const* argv) {
  const auto root = MakeParser(program);
  absl::Status status;
  try {
    root->parse(argc, argv);
    status = program.action();
  } catch (const CLI::CallForHelp&) {
    program.console.out << root->help();
  } catch (const CLI::ParseError& error) {
    status = ToStatus(*root, error);
  }
  if (!status.ok()) Report(program.console, status);
  return static_cast<int>(ExitCodeOf(status));
}

}  // namespace deconvoy::client

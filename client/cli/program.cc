#include "client/cli/program.h"

#include <fmt/format.h>

#include "client/cli/help.h"
#include "client/cli/outcome.h"
#include "client/cli/parse_error.h"
#include "client/cli/verbs/verbs.h"
#include "proto/contract/limits.h"

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
      the same on a server, after `deconvoy login` where that asks who you are
  deconvoy simulate -o sample --shape 64,256,256
      make a specimen to try things on
  deconvoy help run
      options of a command, with examples

Exit codes: 0 ok, 2 wrong command line, 3 invalid input, 4 server not reached, 5 job failed, 6 cancelled, 7 refused.)";

void Report(const Console& console, const absl::Status& error) {
  console.err << ErrorText(error) << std::flush;
  if (console.json) console.Json(ErrorJson(error));
}

}  // namespace

std::string VersionText() {
  return fmt::format("deconvoy {} (contract {})", DECONVOY_VERSION, limits::kContractVersion);
}

std::unique_ptr<CLI::App> MakeParser(Program& program) {
  auto root = std::make_unique<CLI::App>(kAbout, "deconvoy");
  root->footer(kFooter);
  root->require_subcommand(1);
  root->formatter(std::make_shared<HelpFormatter>(program.console.columns));
  root->set_help_flag("-h,--help", "Print this help");
  root->set_version_flag("--version", VersionText(), "Print the version of this program");
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
  } catch (const CLI::CallForVersion&) {
    program.console.out << VersionText() << '\n';
  } catch (const CLI::ParseError& error) {
    status = ToStatus(*root, error);
  }
  if (status.ok() && !program.console.out.flush())
    status = absl::InternalError("standard output cannot be written: not everything that was to be said has been");
  if (!status.ok()) Report(program.console, status);
  return static_cast<int>(ExitCodeOf(status));
}

}  // namespace deconvoy::client

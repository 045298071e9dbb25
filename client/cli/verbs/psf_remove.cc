// deconvoy psf remove: versions of a PSF that nobody needs any more.
#include <fmt/format.h>

#include <string>

#include "client/cli/options/output_options.h"
#include "client/cli/outcome.h"
#include "client/cli/psf_names.h"
#include "client/cli/session.h"
#include "client/cli/verbs/psf_verbs.h"
#include "client/cli/verbs/verbs.h"
#include "proto/contract/error.h"
#include "proto/contract/resource_name.h"
#include "proto/contract/status_macros.h"

namespace deconvoy::client {
namespace {

struct RemoveOptions {
  std::string psf;
  bool all = false;
  ServerOptions server;
};

constexpr char kExamples[] = R"(  deconvoy psf remove gfp-60x@1
      one version and its stack; the others keep their numbers
  deconvoy psf remove gfp-60x --all
      all of them)";

absl::Status Remove(const RemoveOptions& options, const Console& console) {
  ASSIGN_OR_RETURN(const std::string name, PsfArgument(options.psf));
  ASSIGN_OR_RETURN(const PsfId psf, ParsePsfName(name, "psf"));
  if ((psf.version == 0) != options.all) {
    return UsageError(options.all ? fmt::format("{} is one version, but --all is given", ShortPsfName(name))
                                  : fmt::format("{} has every version", name),
                      fmt::format("Give {}@N for one of them, or {} --all.", psf.id, psf.id));
  }
  ASSIGN_OR_RETURN(const Client client, ConnectToServer(options.server));
  RETURN_IF_ERROR(client.DeletePsf(name));
  console.Say("removed " + ShortPsfName(name));
  if (console.json) console.Json({{"event", "removed"}, {"psf", name}});
  return absl::OkStatus();
}

}  // namespace

void AddPsfRemove(CLI::App& group, Program& program) {
  AddVerb<RemoveOptions>(
      group, program, "remove", "Remove versions of a PSF from the server.", kExamples,
      [&program](CLI::App& verb, RemoveOptions& options) {
        verb.add_option("PSF", options.psf, "NAME@N, or NAME with --all")->type_name("PSF")->required();
        verb.add_flag("--all", options.all, "All versions");
        AddServerOption(verb, options.server);
        AddJsonOption(verb, program.console);
      },
      [&program](const RemoveOptions& options) { return Remove(options, program.console); });
}

}  // namespace deconvoy::client

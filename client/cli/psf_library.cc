#include "client/cli/psf_library.h"

#include <fmt/format.h>

#include <string_view>
#include <utility>

#include "client/cli/json.h"
#include "client/cli/outcome.h"
#include "client/cli/psf_names.h"
#include "proto/contract/error.h"
#include "proto/contract/psf_library.h"
#include "proto/contract/resource_name.h"
#include "proto/contract/status_macros.h"

namespace deconvoy::client {
namespace {

// The id in what a user typed.
absl::StatusOr<std::string> NewPsfId(const std::string& name) {
  ASSIGN_OR_RETURN(const std::string full, PsfArgument(name));
  ASSIGN_OR_RETURN(const PsfId psf, ParsePsfName(full, "psf"));
  if (psf.version == 0) return psf.id;
  return UsageError(fmt::format("'{}' names a version, but numbers are given by the server", Printable(name)),
                    fmt::format("Give {}: it becomes the next version.", psf.id));
}

}  // namespace

void AddKeepOption(CLI::App& verb, std::string& keep) {
  verb.add_option("--keep", keep,
                  "Keep the PSF on the server, too, as the next version of the one of this name: `--psf psfs/NAME` "
                  "then uses it")
      ->type_name("NAME")
      ->group("Server");
}

absl::Status CheckKeep(const std::string& keep, const ServerOptions& server) {
  if (keep.empty()) return absl::OkStatus();
  RETURN_IF_ERROR(NewPsfId(keep).status());
  ASSIGN_OR_RETURN(const auto address, ChooseServer(server));
  if (address) return absl::OkStatus();
  return UsageError("--keep is for a server, but a local one leaves nothing", "Leave it out, or name a --server.");
}

absl::StatusOr<v1::Psf> KeepPsf(const Client& client, const std::string& name, v1::CreatePsfRequest request,
                                Leftovers& leftovers, const Console& console, const std::stop_token& stop) {
  const std::string volume = request.volume();
  ASSIGN_OR_RETURN(*request.mutable_psf_id(), NewPsfId(name));
  ASSIGN_OR_RETURN(v1::Psf psf, client.CreatePsf(std::move(request), stop));
  leftovers.Spare(volume);
  console.Say("kept as " + ShortPsfName(psf.name()));
  if (console.json) console.Json({{"event", "kept"}, {"psf", ToJson(psf)}});
  return psf;
}

std::string DescriptionFrom(const v1::Job& job) {
  constexpr std::string_view kBetween = "; ";
  std::string text;
  for (const v1::Finding& finding : job.findings()) {
    const std::string next = (text.empty() ? "" : std::string(kBetween)) + finding.message();
    if (text.size() + next.size() > kLibraryDescriptionBytes) break;
    text += next;
  }
  return text;
}

absl::StatusOr<v1::Psf> FindLibraryPsf(const Session& session, const std::string& argument,
                                       const std::stop_token& stop) {
  ASSIGN_OR_RETURN(const std::string name, PsfArgument(argument));
  if (session.local()) {
    return UsageError(
        fmt::format("{} is a PSF of a server's library, but a local server has none", Printable(argument)),
        "Name the --server that keeps it, or give a file; a file of that name is ./" + argument + ".");
  }
  return session.client().GetPsf(name, stop);
}

}  // namespace deconvoy::client

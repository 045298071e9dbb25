// deconvoy psf list: the PSFs that a server keeps.
#include <fmt/format.h>

#include <string>
#include <vector>

#include "client/cli/json.h"
#include "client/cli/options/optics_options.h"
#include "client/cli/options/output_options.h"
#include "client/cli/outcome.h"
#include "client/cli/psf_names.h"
#include "client/cli/report.h"
#include "client/cli/session.h"
#include "client/cli/verbs/psf_verbs.h"
#include "client/cli/verbs/verbs.h"
#include "proto/contract/error.h"
#include "proto/contract/resource_name.h"
#include "proto/contract/status_macros.h"

namespace deconvoy::client {
namespace {

struct ListOptions {
  std::string psf;
  ServerOptions server;
};

constexpr char kExamples[] = R"(  deconvoy psf list
      the newest version of every PSF
  deconvoy psf list gfp-60x
      all versions of one, newest first)";

// "confocal, na 1.4"; "-" where none are known.
std::string OpticsText(const v1::Psf& psf) {
  if (psf.optics().empty()) return "-";
  return fmt::format("{}, na {:g}", MicroscopyName(psf.microscopy()), psf.optics(0).na());
}

// The beginning of a text, cut between characters.
std::string Shortened(const std::string& text) {
  constexpr size_t kShownBytes = 60;
  if (text.size() <= kShownBytes) return text;
  size_t end = kShownBytes;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0U) == 0x80U) --end;
  return text.substr(0, end) + "...";
}

std::vector<std::string> Row(const v1::Psf& psf) {
  const absl::StatusOr<PsfId> id = ParsePsfName(psf.name(), "name");
  const v1::Shape5& shape = psf.spec().shape();
  const v1::VoxelSize& voxel = psf.spec().voxel_size();
  return {id.ok() ? PsfName({id->id, 0}) : Printable(psf.name()),
          id.ok() ? fmt::to_string(id->version) : "",
          fmt::format("{} x {} x {} x {}", shape.c(), shape.z(), shape.y(), shape.x()),
          fmt::format("{:g} x {:g} x {:g}", voxel.z_um(), voxel.y_um(), voxel.x_um()),
          OpticsText(psf),
          TimeText(psf.create_time()),
          Printable(Shortened(psf.description()))};
}

absl::Status List(const ListOptions& options, const Console& console) {
  std::string name;
  if (!options.psf.empty()) {
    ASSIGN_OR_RETURN(name, PsfArgument(options.psf));
    ASSIGN_OR_RETURN(const PsfId psf, ParsePsfName(name, "psf"));
    if (psf.version != 0) {
      return UsageError(fmt::format("{} is one version", ShortPsfName(name)),
                        fmt::format("deconvoy psf show {}@{} shows it.", psf.id, psf.version));
    }
  }
  ASSIGN_OR_RETURN(const Client client, ConnectToServer(options.server));
  ASSIGN_OR_RETURN(const auto psfs, client.ListPsfs(name));
  std::vector<std::vector<std::string>> rows;
  for (const v1::Psf& psf : psfs) {
    rows.push_back(Row(psf));
    if (console.json) console.Json(ToJson(psf));
  }
  SayTable(console, {"PSF", "VERSION", "C x Z x Y x X", "VOXELS (um)", "OPTICS", "CREATED", "DESCRIPTION"}, rows,
           "no PSFs (deconvoy psf add keeps one)");
  return absl::OkStatus();
}

}  // namespace

void AddPsfList(CLI::App& group, Program& program) {
  AddVerb<ListOptions>(
      group, program, "list", "List the PSFs that the server keeps.", kExamples,
      [&program](CLI::App& verb, ListOptions& options) {
        verb.add_option("PSF", options.psf, "NAME, for all its versions")->type_name("PSF");
        AddServerOption(verb, options.server);
        AddJsonOption(verb, program.console);
      },
      [&program](const ListOptions& options) { return List(options, program.console); });
}

}  // namespace deconvoy::client

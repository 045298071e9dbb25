// deconvoy volumes: the stacks that the server keeps, or the removal of one.
#include <fmt/format.h>

#include "client/cli/json.h"
#include "client/cli/options/output_options.h"
#include "client/cli/report.h"
#include "client/cli/session.h"
#include "client/cli/values.h"
#include "client/cli/verbs/verbs.h"
#include "proto/contract/error.h"
#include "proto/contract/status_macros.h"

namespace deconvoy::client {
namespace {

struct VolumesOptions {
  std::string remove;
  ServerOptions server;
};

constexpr char kExamples[] = R"(  deconvoy volumes
      uploads and results, newest first, also uploads that were broken off
  deconvoy volumes --delete volumes/8c1d
      give its room back; refused while a job that has not ended uses it)";

std::vector<std::string> Row(const v1::Volume& volume) {
  const v1::Shape5& shape = volume.spec().shape();
  const double there = 100.0 * static_cast<double>(volume.committed_bytes()) / static_cast<double>(volume.size_bytes());
  return {Printable(volume.name()),
          volume.state() == v1::COMPLETE ? "complete" : fmt::format("{:.0f} % there", there),
          fmt::format("{} x {} x {} x {} x {}", shape.t(), shape.c(), shape.z(), shape.y(), shape.x()),
          Lower(v1::VoxelType_Name(volume.spec().type())),
          BytesText(static_cast<double>(volume.size_bytes())),
          TimeText(volume.create_time()),
          Printable(volume.spec().display_name())};
}

absl::Status List(const Client& client, const Console& console) {
  ASSIGN_OR_RETURN(const auto volumes, client.ListVolumes());
  std::vector<std::vector<std::string>> rows;
  for (const v1::Volume& volume : volumes) {
    rows.push_back(Row(volume));
    if (console.json) console.Json(ToJson(volume));
  }
  SayTable(console, {"VOLUME", "STATE", "T x C x Z x Y x X", "TYPE", "SIZE", "CREATED", "NAME"}, rows, "no volumes");
  return absl::OkStatus();
}

absl::Status Perform(const VolumesOptions& options, const Console& console) {
  ASSIGN_OR_RETURN(const Client client, ConnectToServer(options.server));
  if (options.remove.empty()) return List(client, console);
  RETURN_IF_ERROR(client.DeleteVolume(options.remove));
  console.Say("removed " + Printable(options.remove));
  if (console.json) console.Json({{"event", "removed"}, {"volume", options.remove}});
  return absl::OkStatus();
}

}  // namespace

void AddVolumes(CLI::App& root, Program& program) {
  AddVerb<VolumesOptions>(
      root, program, "volumes", "List the stacks on the server, or remove one.", kExamples,
      [&program](CLI::App& verb, VolumesOptions& options) {
        verb.add_option("--delete", options.remove, "Remove this volume")->type_name("VOLUME");
        AddServerOption(verb, options.server);
        AddJsonOption(verb, program.console);
      },
      [&program](const VolumesOptions& options) { return Perform(options, program.console); });
}

}  // namespace deconvoy::client

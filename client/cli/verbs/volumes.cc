// deconvoy volumes: the stacks that the server keeps, one of them, or the removal of some; and stacks in files that the
// server itself sees.
#include <absl/time/clock.h>
#include <fmt/format.h>
#include <google/protobuf/util/time_util.h>

#include "client/cli/interrupt.h"
#include "client/cli/job_run.h"
#include "client/cli/json.h"
#include "client/cli/options/output_options.h"
#include "client/cli/outcome.h"
#include "client/cli/report.h"
#include "client/cli/server_files.h"
#include "client/cli/session.h"
#include "client/cli/values.h"
#include "client/cli/verbs/verbs.h"
#include "proto/contract/error.h"
#include "proto/contract/status_macros.h"

namespace deconvoy::client {
namespace {

struct VolumesOptions {
  std::string action = "list";
  std::vector<std::string> names;  // of volumes, or files
  std::optional<v1::VoxelSize> voxel_um;
  std::string display_name;
  bool overwrite = false;
  ImageOutputOptions image_output;
  ServerOptions server;
};

constexpr char kExamples[] = R"(  deconvoy volumes
      uploads and results, newest first, also uploads that were broken off
  deconvoy volumes show volumes/8c1d
      all that is known of one
  deconvoy volumes delete volumes/8c1d volumes/77ab
      give their room back; refused while a job that has not ended uses one
  deconvoy volumes roots
      folders of the server that files may be imported from and exported to
  deconvoy volumes import data/day1/raw.tif
      make a volume of a file that the server sees, without sending it; prints the volume's name
  deconvoy volumes export volumes/8c1d results/day1.ome.tif
      have the server write a file, in the format that its name says)";

std::string StateText(const v1::Volume& volume) {
  if (volume.fetched()) return "fetched";
  if (volume.state() == v1::COMPLETE) return "complete";
  const double there = 100.0 * static_cast<double>(volume.committed_bytes()) / static_cast<double>(volume.size_bytes());
  return fmt::format("{:.0f} % there", there);
}

std::string ShapeOf(const v1::Volume& volume) {
  const v1::Shape5& shape = volume.spec().shape();
  return fmt::format("{} x {} x {} x {} x {}", shape.t(), shape.c(), shape.z(), shape.y(), shape.x());
}

std::string AgeText(const v1::Volume& volume, absl::Time now) {
  const auto created_ns = google::protobuf::util::TimeUtil::TimestampToNanoseconds(volume.create_time());
  return DurationText(std::max(0.0, absl::ToDoubleSeconds(now - absl::FromUnixNanos(created_ns))));
}

std::string ExpiryText(const v1::Volume& volume) {
  return volume.has_expire_time() ? TimeText(volume.expire_time()) : "";
}

std::vector<std::string> Row(const v1::Volume& volume, absl::Time now) {
  return {Printable(volume.name()),
          StateText(volume),
          ShapeOf(volume),
          Lower(v1::VoxelType_Name(volume.spec().type())),
          BytesText(static_cast<double>(volume.size_bytes())),
          AgeText(volume, now),
          ExpiryText(volume),
          Printable(volume.spec().display_name())};
}

absl::Status List(const Client& client, const Console& console) {
  ASSIGN_OR_RETURN(const auto volumes, client.ListVolumes());
  std::vector<std::vector<std::string>> rows;
  const absl::Time now = absl::Now();
  for (const v1::Volume& volume : volumes) {
    rows.push_back(Row(volume, now));
    if (console.json) console.Json(ToJson(volume));
  }
  SayTable(console, {"VOLUME", "STATE", "T x C x Z x Y x X", "TYPE", "SIZE", "AGE", "EXPIRES", "NAME"}, rows,
           "no volumes");
  return absl::OkStatus();
}

absl::Status Show(const Client& client, const std::string& name, const Console& console) {
  ASSIGN_OR_RETURN(const v1::Volume volume, client.GetVolume(name));
  if (console.json) {
    console.Json(ToJson(volume));
    return absl::OkStatus();
  }
  const auto say = [&console](const char* what, const std::string& value) {
    if (!value.empty()) console.Say(fmt::format("{:<10} {}", what, value));
  };
  say("volume", Printable(volume.name()));
  say("name", Printable(volume.spec().display_name()));
  say("owner", Printable(volume.owner()));
  say("state", StateText(volume));
  say("shape", ShapeOf(volume) + " (t c z y x) " + Lower(v1::VoxelType_Name(volume.spec().type())));
  say("size", BytesText(static_cast<double>(volume.size_bytes())));
  say("created", TimeText(volume.create_time()));
  say("expires", ExpiryText(volume));
  if (volume.missing_size() > 0) say("missing", fmt::format("{} boxes or more", volume.missing_size()));
  return absl::OkStatus();
}

// Goes on with the rest when one cannot be removed; the first error is returned.
absl::Status Delete(const Client& client, const std::vector<std::string>& names, const Console& console) {
  absl::Status first;
  for (const std::string& name : names) {
    const absl::Status removed = client.DeleteVolume(name);
    if (!removed.ok()) {
      if (first.ok()) first = removed;
      continue;
    }
    console.Say("removed " + Printable(name));
    if (console.json) console.Json({{"event", "removed"}, {"volume", name}});
  }
  return first;
}

// `volumes/{id}` from what a user typed: the name, or the id alone.
std::string VolumeArgument(const std::string& text) {
  return text.find('/') == std::string::npos ? "volumes/" + text : text;
}

absl::Status ListRoots(const Client& client, const Console& console) {
  ASSIGN_OR_RETURN(const v1::ServerInfo server, client.GetServerInfo());
  std::vector<std::vector<std::string>> rows;
  for (const v1::FileRoot& root : server.file_roots()) {
    rows.push_back({Printable(root.name()), root.writable() ? "import, export" : "import"});
    if (console.json) console.Json({{"root", root.name()}, {"writable", root.writable()}});
  }
  SayTable(console, {"ROOT", "FOR"}, rows, "no folders of the server that you may use for files");
  return absl::OkStatus();
}

absl::Status Import(const Client& client, const VolumesOptions& options, const Console& console) {
  const std::stop_token stop = TakeInterrupts();
  const auto progress = MakeProgress(console, [] { return absl::Now(); });
  v1::ImportVolumeRequest request;
  request.set_file(options.names[0]);
  request.set_display_name(options.display_name);
  if (options.voxel_um) *request.mutable_voxel_size() = *options.voxel_um;
  ASSIGN_OR_RETURN(const v1::Job job, ImportFile(client, request, *progress, stop));
  ASSIGN_OR_RETURN(const std::string volume, OutputVolume(job, "volume"));
  if (console.json) {
    console.Json({{"event", "imported"}, {"volume", volume}});
  } else {
    console.out << Printable(volume) << std::endl;  // also where it is quiet, for scripts
  }
  return absl::OkStatus();
}

absl::Status Export(const Client& client, const VolumesOptions& options, const Console& console) {
  const std::stop_token stop = TakeInterrupts();
  const auto progress = MakeProgress(console, [] { return absl::Now(); });
  v1::ExportVolumeRequest request;
  request.set_volume(VolumeArgument(options.names[0]));
  request.set_file(options.names[1]);
  request.set_overwrite(options.overwrite);
  request.set_compression(options.image_output.compress == "deflate" ? v1::FILE_DEFLATE
                          : options.image_output.compress == "zstd"  ? v1::FILE_ZSTD
                                                                     : v1::FILE_COMPRESSION_UNSPECIFIED);
  ASSIGN_OR_RETURN(const v1::Job job, ExportFile(client, request, *progress, stop));
  const std::string& file = job.spec().export_file().file();
  console.Say("wrote " + Printable(file));
  if (console.json) console.Json({{"event", "exported"}, {"file", file}});
  return absl::OkStatus();
}

// What each action takes.
absl::Status CheckNames(const VolumesOptions& options) {
  const std::string& action = options.action;
  const size_t names = options.names.size();
  if ((action == "list" || action == "roots") && names > 0)
    return UsageError(action + " takes no names",
                      "See a volume with: deconvoy volumes show " + Printable(options.names.front()));
  if (action == "show" && names != 1)
    return UsageError("show takes one volume", "Name it; `deconvoy volumes` lists them.");
  if (action == "delete" && names == 0)
    return UsageError("delete takes the volumes to remove", "Name them; `deconvoy volumes` lists them.");
  if (action == "import" && names != 1)
    return UsageError("import takes one file", "Name it as ROOT/PATH; `deconvoy volumes roots` lists the roots.");
  if (action == "export" && names != 2)
    return UsageError("export takes a volume and a file",
                      "Name the file as ROOT/PATH; `deconvoy volumes roots` lists the roots.");
  const bool importing = options.voxel_um || !options.display_name.empty();
  if (importing && action != "import") return UsageError("--voxel-um and --name are for import");
  const bool exporting = options.overwrite || options.image_output.compress != "none";
  if (exporting && action != "export") return UsageError("--overwrite and --compress are for export");
  return absl::OkStatus();
}

absl::Status Perform(const VolumesOptions& options, const Console& console) {
  RETURN_IF_ERROR(CheckNames(options));
  ASSIGN_OR_RETURN(const Client client, ConnectToServer(options.server));
  if (options.action == "roots") return ListRoots(client, console);
  if (options.action == "import") return Import(client, options, console);
  if (options.action == "export") return Export(client, options, console);
  std::vector<std::string> volumes;
  for (const std::string& text : options.names) volumes.push_back(VolumeArgument(text));
  if (options.action == "show") return Show(client, volumes.front(), console);
  if (options.action == "delete") return Delete(client, volumes, console);
  return List(client, console);
}

}  // namespace

void AddVolumes(CLI::App& root, Program& program) {
  AddVerb<VolumesOptions>(
      root, program, "volumes",
      "List the stacks on the server, show one, remove some, or have files imported and exported.", kExamples,
      [&program](CLI::App& verb, VolumesOptions& options) {
        verb.add_option("ACTION", options.action, "What to do with them")
            ->check(CLI::IsMember({"list", "show", "delete", "roots", "import", "export"}))
            ->type_name("")
            ->capture_default_str();
        verb.add_option("NAME", options.names,
                        "Volumes to show or to remove, file to import, or volume and file to export; files as "
                        "ROOT/PATH, as the server sees them")
            ->type_name("NAME");
        AddVoxelSize(verb, "--voxel-um", options.voxel_um,
                     "With import: voxel size in um, where the file has none or a wrong one");
        verb.add_option("--name", options.display_name, "With import: name of the volume, instead of the file's")
            ->type_name("TEXT");
        verb.add_flag("--overwrite", options.overwrite, "With export: replace a file that is there");
        AddImageOutputOptions(verb, options.image_output);
        AddServerOption(verb, options.server);
        AddProgressOptions(verb, program.console);
      },
      [&program](const VolumesOptions& options) { return Perform(options, program.console); });
}

}  // namespace deconvoy::client

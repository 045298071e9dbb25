// deconvoy volumes: the stacks that the server keeps, one of them, or the removal of some.
#include <absl/time/clock.h>
#include <fmt/format.h>
#include <google/protobuf/util/time_util.h>

#include "client/cli/json.h"
#include "client/cli/options/output_options.h"
#include "client/cli/outcome.h"
#include "client/cli/report.h"
#include "client/cli/session.h"
#include "client/cli/values.h"
#include "client/cli/verbs/verbs.h"
#include "proto/contract/error.h"
#include "proto/contract/status_macros.h"

namespace deconvoy::client {
namespace {

struct VolumesOptions {
  std::string action = "list";
  std::vector<std::string> volumes;
  ServerOptions server;
};

constexpr char kExamples[] = R"(  deconvoy volumes
      uploads and results, newest first, also uploads that were broken off
  deconvoy volumes show volumes/8c1d
      all that is known of one
  deconvoy volumes delete volumes/8c1d volumes/77ab
      give their room back; refused while a job that has not ended uses one)";

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

absl::Status Perform(const VolumesOptions& options, const Console& console) {
  std::vector<std::string> names;
  for (const std::string& text : options.volumes) names.push_back(VolumeArgument(text));
  if (options.action == "list" && !names.empty())
    return UsageError("list takes no volumes", "See one with: deconvoy volumes show " + Printable(names.front()));
  if (options.action == "show" && names.size() != 1)
    return UsageError("show takes one volume", "Name it; `deconvoy volumes` lists them.");
  if (options.action == "delete" && names.empty())
    return UsageError("delete takes the volumes to remove", "Name them; `deconvoy volumes` lists them.");
  ASSIGN_OR_RETURN(const Client client, ConnectToServer(options.server));
  if (options.action == "show") return Show(client, names.front(), console);
  if (options.action == "delete") return Delete(client, names, console);
  return List(client, console);
}

}  // namespace

void AddVolumes(CLI::App& root, Program& program) {
  AddVerb<VolumesOptions>(
      root, program, "volumes", "List the stacks on the server, show one, or remove some.", kExamples,
      [&program](CLI::App& verb, VolumesOptions& options) {
        verb.add_option("ACTION", options.action, "What to do with them")
            ->check(CLI::IsMember({"list", "show", "delete"}))
            ->type_name("")
            ->capture_default_str();
        verb.add_option("VOLUME", options.volumes, "Volumes to show or to remove")->type_name("VOLUME");
        AddServerOption(verb, options.server);
        AddJsonOption(verb, program.console);
      },
      [&program](const VolumesOptions& options) { return Perform(options, program.console); });
}

}  // namespace deconvoy::client

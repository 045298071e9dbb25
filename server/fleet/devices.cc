#include "server/fleet/devices.h"

#include <absl/strings/numbers.h>
#include <absl/strings/str_split.h>
#include <fmt/format.h>
#include <google/protobuf/util/json_util.h>

#include <algorithm>
#include <string_view>

#include "proto/contract/error.h"
#include "proto/contract/status_macros.h"
#include "server/fleet/worker_command.h"

namespace deconvoy::server {
namespace {

using Devices = std::vector<v1::Accelerator>;

absl::Status Refuse(std::string_view what, const Devices& seen) {
  std::string there;
  for (const v1::Accelerator& device : seen) {
    there += fmt::format("{}{} ({}, {})", there.empty() ? "" : ", ", device.index(), Printable(device.name()),
                         Printable(device.uuid()));
  }
  return MakeError({.reason = v1::INVALID_FIELD,
                    .field = "workers.gpus",
                    .remedy = there.empty() ? "the worker program sees no GPU here; look at `deconvoy-worker --devices`"
                                            : fmt::format("there are {}", there)},
                   what);
}

absl::StatusOr<v1::Accelerator> FindDevice(const std::string& name, const Devices& seen, const DeviceLister& lister) {
  uint32_t index = 0;
  const bool by_index = absl::SimpleAtoi(name, &index);
  Devices found;
  std::ranges::copy_if(seen, std::back_inserter(found), [&](const v1::Accelerator& device) {
    return by_index ? device.index() == index : device.uuid().starts_with(name);
  });
  if (found.size() > 1) return Refuse(fmt::format("`{}` is the beginning of several GPUs", Printable(name)), seen);
  if (found.size() == 1) return found[0];
  if (name.starts_with("MIG-")) {
    ASSIGN_OR_RETURN(found, lister(name));
    if (found.size() == 1) {
      found[0].set_uuid(name);
      return found[0];
    }
  }
  return Refuse(fmt::format("there is no GPU `{}`", Printable(name)), seen);
}

}  // namespace

DeviceLister ListerOf(const std::filesystem::path& program) {
  return [program](const std::string& visible) -> absl::StatusOr<Devices> {
    Command command{.program = program, .arguments = {"--devices", "--json"}, .environment = {}};
    if (!visible.empty()) command.environment.emplace_back(kVisibleDevices, visible);
    ASSIGN_OR_RETURN(const std::string text, AskWorker(command));
    v1::DeviceReport report;
    google::protobuf::util::JsonParseOptions options;
    options.ignore_unknown_fields = true;
    if (!google::protobuf::util::JsonStringToMessage(text, &report, options).ok()) {
      return UnusableWorker(program, "does not tell its devices");
    }
    return Devices(report.accelerators().begin(), report.accelerators().end());
  };
}

absl::StatusOr<Devices> ChooseDevices(const std::string& gpus, const DeviceLister& lister) {
  if (gpus == "none") return Devices{};
  ASSIGN_OR_RETURN(Devices seen, lister(""));
  if (gpus == "all") return seen;
  Devices chosen;
  const std::vector<std::string> names = absl::StrSplit(gpus, ',');
  for (const std::string& name : names) {
    ASSIGN_OR_RETURN(v1::Accelerator device, FindDevice(name, seen, lister));
    const bool twice =
        std::ranges::any_of(chosen, [&](const v1::Accelerator& earlier) { return earlier.uuid() == device.uuid(); });
    if (twice) return Refuse(fmt::format("the GPU {} is named twice", Printable(device.uuid())), seen);
    chosen.push_back(std::move(device));
  }
  return chosen;
}

}  // namespace deconvoy::server

#include "client/cli/methods.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <google/protobuf/util/json_util.h>

#include <algorithm>
#include <cctype>
#include <utility>

#include "client/cli/programs.h"
#include "client/cli/report.h"
#include "proto/contract/error.h"
#include "proto/contract/status_macros.h"

namespace deconvoy::client {
namespace {

std::string Lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) { return std::tolower(c); });
  return text;
}

std::string ValuesText(const v1::Parameter& parameter) {
  switch (parameter.type()) {
    case v1::INTEGER:
      return fmt::format("{:.0f} to {:.0f}", parameter.minimum(), parameter.maximum());
    case v1::REAL:
      return fmt::format("{:g} to {:g}", parameter.minimum(), parameter.maximum());
    case v1::BOOLEAN:
      return "true, false";
    default:
      break;
  }
  std::vector<std::string> names;
  for (const v1::ParameterChoice& choice : parameter.choices()) names.push_back(Printable(choice.name()));
  return fmt::format("{}", fmt::join(names, ", "));
}

std::string RangeText(const v1::Parameter& parameter) {
  return ValuesText(parameter) + (parameter.automatic() ? ", or auto" : "");
}

std::string BoundaryText(const v1::Method& method) {
  std::vector<std::string> names;
  for (const int boundary : method.boundaries())
    names.push_back(Lower(v1::Boundary_Name(static_cast<v1::Boundary>(boundary))));
  if (!names.empty()) names.front() += " (default)";
  return fmt::format("{}", fmt::join(names, ", "));
}

void Append(std::vector<std::string> more, std::vector<std::string>& lines) {
  for (std::string& line : more) lines.push_back(std::move(line));
}

// What runs models, and what can be trained; why nothing does. Or that a model may be the denoiser.
std::vector<std::string> NetworkLines(const v1::Method& method) {
  if (method.takes_denoiser()) return {"takes a model that denoises (--network) in the place of `denoiser`", ""};
  if (!method.needs_models()) return {};
  if (!method.unavailable().empty()) return {"unavailable: " + Printable(method.unavailable())};
  std::vector<std::string> lines = {"models run on: " + Printable(method.library()), ""};
  std::vector<std::vector<std::string>> rows;
  for (const v1::NetworkDescription& network : method.networks()) {
    rows.push_back({Printable(network.name()), fmt::to_string(network.parameters()),
                    network.denoises()        ? "denoises"
                    : network.probabilistic() ? "plain, probabilistic"
                                              : "plain",
                    Printable(network.summary())});
  }
  Append(Table({"NETWORK", "PARAMETERS", "HEADS", "SUMMARY"}, rows), lines);
  return lines;
}

}  // namespace

absl::StatusOr<std::vector<v1::Method>> InstalledMethods() {
  ASSIGN_OR_RETURN(const auto worker, SiblingProgram("deconvoy-worker"));
  ASSIGN_OR_RETURN(const std::string text, OutputOf(worker, {"--describe", "--json"}));
  v1::ListMethodsResponse methods;
  google::protobuf::util::JsonParseOptions options;
  options.ignore_unknown_fields = true;
  if (!google::protobuf::util::JsonStringToMessage(text, &methods, options).ok())
    return absl::InternalError(
        fmt::format("{} describes its methods in a form that this program does not know", Printable(worker.string())));
  return std::vector<v1::Method>(methods.methods().begin(), methods.methods().end());
}

absl::StatusOr<v1::Method> FindMethod(const std::vector<v1::Method>& methods, const std::string& name) {
  std::vector<std::string> names;
  for (const v1::Method& method : methods) {
    if (method.name() == name) return method;
    names.push_back(method.name());
  }
  const std::string nearest = Nearest(name, names);
  return MakeError({.reason = v1::UNKNOWN_METHOD,
                    .field = "deconvolve.method",
                    .remedy = nearest.empty() ? fmt::format("There are: {}.", fmt::join(names, ", "))
                                              : fmt::format("Did you mean '{}'?", nearest)},
                   fmt::format("there is no method '{}'", Printable(name)));
}

std::vector<std::string> MethodList(const std::vector<v1::Method>& methods) {
  std::vector<std::vector<std::string>> rows;
  for (const v1::Method& method : methods)
    rows.push_back({Printable(method.name()), Printable(method.title()), Printable(method.noise_model()),
                    method.unavailable().empty() ? Printable(method.summary())
                                                 : "unavailable: " + Printable(method.unavailable())});
  return Table({"METHOD", "TITLE", "NOISE", "SUMMARY"}, rows);
}

std::vector<std::string> MethodDetails(const v1::Method& method) {
  std::vector<std::string> lines = {
      fmt::format("{}: {}", Printable(method.name()), Printable(method.title())),
      Printable(method.summary()),
      "",
      fmt::format("noise model: {}", Printable(method.noise_model())),
      fmt::format("boundaries: {}", BoundaryText(method)),
      fmt::format("cost: {} transforms per iteration; {:g} bytes per padded voxel, {:g} per measured voxel",
                  method.transforms_per_iteration(), method.bytes_per_padded_voxel(),
                  method.bytes_per_measured_voxel()),
      fmt::format("runs on: {}", fmt::join(method.backends(), ", ")),
      fmt::format("see: {}", Printable(method.citation())),
      "",
  };
  Append(NetworkLines(method), lines);
  std::vector<std::vector<std::string>> rows;
  for (const v1::Parameter& parameter : method.parameters()) {
    const bool has_unit = !parameter.unit().empty() && parameter.unit() != "1";
    rows.push_back({Printable(parameter.name()), Printable(parameter.default_value()), RangeText(parameter),
                    has_unit ? Printable(parameter.unit()) : "", Printable(parameter.meaning())});
    for (const v1::ParameterChoice& choice : parameter.choices())
      rows.push_back({"", "", "  " + Printable(choice.name()), "", Printable(choice.meaning())});
  }
  if (rows.empty()) return lines;
  for (std::string& line : Table({"PARAMETER", "DEFAULT", "RANGE", "UNIT", "MEANING"}, rows))
    lines.push_back(std::move(line));
  return lines;
}

}  // namespace deconvoy::client

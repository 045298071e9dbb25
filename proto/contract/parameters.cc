#include "proto/contract/parameters.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <optional>
#include <vector>

#include "proto/contract/error.h"
#include "proto/contract/status_macros.h"

namespace deconvoy {
namespace {

// While iterations are chosen: the weights of a mask and the estimate of an earlier iteration, one for each padded
// voxel.
constexpr double kHeldOutBytesPerPaddedVoxel = 8;
// And for what is held out: its photons, or the masks of both parts; and what is made of the estimate there.
constexpr double kHeldOutBytesPerMeasuredVoxel = 12;

constexpr int64_t kMostMillibytes = 1'000'000'000'000'000;  // what counts of a voxel's memory, whoever says more

template <typename Number>
std::optional<Number> Parse(std::string_view text) {
  Number number{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

std::string FieldOf(std::string_view name) {
  return fmt::format("deconvolve.parameters[\"{}\"]", name);
}

std::string AllowedValues(const v1::Parameter& parameter) {
  switch (parameter.type()) {
    case v1::REAL:
      return fmt::format("a number from {} to {}", parameter.minimum(), parameter.maximum());
    case v1::INTEGER:
      return fmt::format("a whole number from {} to {}", parameter.minimum(), parameter.maximum());
    case v1::BOOLEAN:
      return "`true` or `false`";
    default: {
      std::string names;
      for (const auto& choice : parameter.choices()) {
        names += fmt::format("{}`{}`", names.empty() ? "" : ", ", choice.name());
      }
      return "one of " + names;
    }
  }
}

std::string Allowed(const v1::Parameter& parameter) {
  return AllowedValues(parameter) + (parameter.automatic() ? ", or `auto`" : "");
}

absl::Status Refuse(const v1::Parameter& parameter, std::string_view text, v1::ErrorReason reason) {
  const std::string allowed = Allowed(parameter);
  return MakeError({.reason = reason,
                    .field = FieldOf(parameter.name()),
                    .remedy = fmt::format("Give {}; the default is {}.", allowed, parameter.default_value()),
                    .metadata = {{"allowed", allowed}}},
                   fmt::format("parameter `{}` is `{}`, but must be {}", parameter.name(), text, allowed));
}

absl::Status CheckNumber(const v1::Parameter& parameter, std::string_view text, std::optional<double> value) {
  if (!value.has_value() || !std::isfinite(*value)) return Refuse(parameter, text, v1::INVALID_FIELD);
  // Also refuses everything where a bound is NaN: the description comes from a worker.
  const bool within = *value >= parameter.minimum() && *value <= parameter.maximum();
  return within ? absl::OkStatus() : Refuse(parameter, text, v1::PARAMETER_OUT_OF_RANGE);
}

absl::Status CheckChoice(const v1::Parameter& parameter, std::string_view text) {
  for (const auto& choice : parameter.choices()) {
    if (choice.name() == text) return absl::OkStatus();
  }
  return Refuse(parameter, text, v1::PARAMETER_OUT_OF_RANGE);
}

absl::Status CheckText(const v1::Parameter& parameter, std::string_view text) {
  if (parameter.automatic() && text == kAutomatic) return absl::OkStatus();
  switch (parameter.type()) {
    case v1::REAL:
      return CheckNumber(parameter, text, Parse<double>(text));
    case v1::INTEGER:
      return CheckNumber(parameter, text, Parse<int64_t>(text));
    case v1::BOOLEAN:
      return text == "true" || text == "false" ? absl::OkStatus() : Refuse(parameter, text, v1::INVALID_FIELD);
    case v1::CHOICE:
      return CheckChoice(parameter, text);
    default:
      return MakeError({.reason = v1::INVALID_FIELD, .field = FieldOf(parameter.name())},
                       fmt::format("parameter `{}` is of a type that this program does not know", parameter.name()));
  }
}

absl::Status CheckNames(const v1::Method& method, const std::map<std::string, std::string>& given) {
  std::vector<std::string> known;
  for (const auto& parameter : method.parameters()) known.push_back(parameter.name());
  for (const auto& [name, text] : given) {
    if (std::find(known.begin(), known.end(), name) != known.end()) continue;
    const std::string nearest = Nearest(name, known);
    return MakeError({.reason = v1::UNKNOWN_PARAMETER,
                      .field = FieldOf(name),
                      .remedy = nearest.empty() ? fmt::format("Give one of: {}.", fmt::join(known, ", "))
                                                : fmt::format("Did you mean `{}`?", nearest)},
                     fmt::format("method `{}` has no parameter `{}`", method.name(), name));
  }
  return absl::OkStatus();
}

}  // namespace

const std::string& Parameters::TextOf(std::string_view name, v1::ParameterType type) const {
  const auto declared = types_.find(name);
  if (declared == types_.end() || declared->second != type) std::abort();
  return texts_.find(name)->second;
}

double Parameters::Real(std::string_view name) const {
  return Parse<double>(TextOf(name, v1::REAL)).value();
}
int64_t Parameters::Integer(std::string_view name) const {
  return Parse<int64_t>(TextOf(name, v1::INTEGER)).value();
}
bool Parameters::Boolean(std::string_view name) const {
  return TextOf(name, v1::BOOLEAN) == "true";
}
const std::string& Parameters::Choice(std::string_view name) const {
  return TextOf(name, v1::CHOICE);
}

bool Parameters::IsAuto(std::string_view name) const {
  return automatic_.contains(name);
}

absl::StatusOr<Parameters> ResolveParameters(const v1::Method& method,
                                             const std::map<std::string, std::string>& given) {
  RETURN_IF_ERROR(CheckNames(method, given));
  Parameters resolved;
  for (const auto& parameter : method.parameters()) {
    const auto found = given.find(parameter.name());
    const std::string& text = found == given.end() ? parameter.default_value() : found->second;
    RETURN_IF_ERROR(CheckText(parameter, text));
    if (!resolved.texts_.emplace(parameter.name(), text).second) {
      return MakeError({.reason = v1::INVALID_FIELD, .field = FieldOf(parameter.name())},
                       fmt::format("method `{}` describes parameter `{}` twice", method.name(), parameter.name()));
    }
    resolved.types_.emplace(parameter.name(), parameter.type());
    if (parameter.automatic() && text == kAutomatic) resolved.automatic_.insert(parameter.name());
  }
  return resolved;
}

MethodMemory MemoryOf(const v1::Method& method, const Parameters& parameters, bool residual) {
  double padded = method.bytes_per_padded_voxel(), measured = method.bytes_per_measured_voxel();
  const bool iterates = parameters.texts().contains(kIterations);
  if (parameters.IsAuto(kIterations) || (iterates && parameters.IsAuto("lambda"))) {
    padded += kHeldOutBytesPerPaddedVoxel;
    measured += kHeldOutBytesPerMeasuredVoxel;
  }
  for (const auto& parameter : method.parameters()) {
    if (parameter.type() != v1::CHOICE || parameters.IsAuto(parameter.name())) continue;
    for (const auto& choice : parameter.choices()) {
      if (choice.name() == parameters.Choice(parameter.name())) padded += choice.extra_bytes_per_padded_voxel();
    }
  }
  const auto millibytes = [](double bytes) {
    if (std::isnan(bytes)) return kMostMillibytes;
    return static_cast<int64_t>(std::clamp(std::ceil(1000 * bytes), 0.0, static_cast<double>(kMostMillibytes)));
  };
  return {.millibytes_per_padded_voxel = millibytes(padded),
          .millibytes_per_measured_voxel = millibytes(measured),
          .bytes_per_weight = static_cast<int64_t>(method.bytes_per_weight()),
          .result_bytes_per_measured_voxel = static_cast<int64_t>(sizeof(float)) * (residual ? 3 : 2)};
}

}  // namespace deconvoy

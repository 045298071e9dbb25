#include "client/cli/values.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <cmath>
#include <limits>

#include "client/cli/outcome.h"
#include "proto/contract/error.h"
#include "proto/contract/status_macros.h"

namespace deconvoy::client {
namespace {

std::vector<std::string_view> Split(std::string_view text) {
  std::vector<std::string_view> parts;
  for (;;) {
    const size_t comma = text.find(',');
    parts.push_back(text.substr(0, comma));
    if (comma == std::string_view::npos) return parts;
    text.remove_prefix(comma + 1);
  }
}

template <class Number>
std::optional<Number> Whole(std::string_view text) {
  Number value{};
  const auto [rest, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || rest != text.data() + text.size()) return std::nullopt;
  return value;
}

absl::Status NotThree(std::string_view text, std::string_view kind) {
  return UsageError(fmt::format("'{}' is not Z,Y,X, {}", Printable(text), kind));
}

// Turns a parser into a callback of CLI11, whose errors are exceptions.
template <class Parse, class Target>
CLI::Option* AddParsed(CLI::App& verb, const std::string& name, Target& target, const std::string& meaning,
                       Parse parse) {
  return verb
      .add_option_function<std::string>(
          name,
          [&target, name, parse](const std::string& text) {
            const auto value = parse(text);
            if (!value.ok()) throw CLI::ValidationError(name, std::string(value.status().message()));
            target = *value;
          },
          meaning)
      ->type_name("Z,Y,X");
}

}  // namespace

absl::StatusOr<Voxel> ParseVoxel(std::string_view text, int64_t least) {
  const std::string kind = fmt::format("three whole numbers of at least {}, for instance 32,96,96", least);
  const auto parts = Split(text);
  if (parts.size() != 3) return NotThree(text, kind);
  std::array<int64_t, 3> values{};
  for (size_t i = 0; i < 3; ++i) {
    const auto value = Whole<int64_t>(parts[i]);
    if (!value || *value < least || *value > std::numeric_limits<int32_t>::max()) return NotThree(text, kind);
    values[i] = *value;
  }
  return Voxel{values[0], values[1], values[2]};
}

absl::StatusOr<v1::VoxelSize> ParseVoxelSize(std::string_view text) {
  constexpr std::string_view kKind = "three positive lengths in micrometres, for instance 0.3,0.1,0.1";
  const auto parts = Split(text);
  if (parts.size() != 3) return NotThree(text, kKind);
  std::array<double, 3> values{};
  for (size_t i = 0; i < 3; ++i) {
    const auto value = Whole<double>(parts[i]);
    if (!value || !std::isfinite(*value) || *value <= 0) return NotThree(text, kKind);
    values[i] = *value;
  }
  v1::VoxelSize size;
  size.set_z_um(values[0]);
  size.set_y_um(values[1]);
  size.set_x_um(values[2]);
  return size;
}

absl::StatusOr<double> ParseNumber(std::string_view text) {
  const auto value = Whole<double>(text);
  if (!value || !std::isfinite(*value)) return UsageError(fmt::format("'{}' is not a number", Printable(text)));
  return *value;
}

absl::StatusOr<std::map<std::string, std::string>> ParseAssignments(const std::vector<std::string>& texts,
                                                                    std::string_view option, std::string_view remedy) {
  std::map<std::string, std::string> values;
  for (const std::string& text : texts) {
    const size_t equals = text.find('=');
    if (equals == 0 || equals == std::string::npos)
      return UsageError(fmt::format("{} '{}' is not key=value", option, Printable(text)), remedy);
    const std::string key = text.substr(0, equals);
    if (!values.emplace(key, text.substr(equals + 1)).second)
      return UsageError(fmt::format("{} gives '{}' twice", option, Printable(key)), "Give each once.");
  }
  return values;
}

CLI::Option* AddVoxelSize(CLI::App& verb, const std::string& name, std::optional<v1::VoxelSize>& target,
                          const std::string& meaning) {
  return AddParsed(verb, name, target, meaning, [](const std::string& text) { return ParseVoxelSize(text); });
}

CLI::Option* AddVoxel(CLI::App& verb, const std::string& name, std::optional<Voxel>& target, int64_t least,
                      const std::string& meaning) {
  return AddParsed(verb, name, target, meaning, [least](const std::string& text) { return ParseVoxel(text, least); });
}

std::string Lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) { return std::tolower(c); });
  return text;
}

std::string BytesText(double bytes) {
  constexpr std::array<const char*, 6> kUnits = {"B", "kB", "MB", "GB", "TB", "PB"};
  size_t unit = 0;
  while (bytes >= 999.5 && unit + 1 < kUnits.size()) {
    bytes /= 1000;
    ++unit;
  }
  const int decimals = unit == 0 || bytes >= 99.95 ? 0 : bytes >= 9.995 ? 1 : 2;
  return fmt::format("{:.{}f} {}", bytes, decimals, kUnits[unit]);
}

std::string DurationText(double seconds) {
  const auto whole = static_cast<int64_t>(std::llround(std::max(0.0, seconds)));
  if (whole < 3600) return fmt::format("{}:{:02}", whole / 60, whole % 60);
  return fmt::format("{}:{:02}:{:02}", whole / 3600, whole / 60 % 60, whole % 60);
}

}  // namespace deconvoy::client

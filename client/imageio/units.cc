#include "client/imageio/units.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>

#include "proto/contract/error.h"
#include "proto/contract/limits.h"

namespace deconvoy::imageio {
namespace {

struct Unit {
  std::string_view name;
  double um;
};

constexpr auto kUnits = std::to_array<Unit>({
    {"micron", 1},
    {"microns", 1},
    {"micrometer", 1},
    {"micrometre", 1},
    {"um", 1},
    {"\\u00B5m", 1},
    {"\\u00b5m", 1},
    {"\\u03BCm", 1},
    {"\\u03bcm", 1},
    {"\xc2\xb5m", 1},
    {"\xce\xbcm", 1},
    {"\xb5m", 1},
    {"nm", 1e-3},
    {"nanometer", 1e-3},
    {"pm", 1e-6},
    {"\xc3\x85", 1e-4},
    {"\xe2\x84\xab", 1e-4},
    {"mm", 1e3},
    {"millimeter", 1e3},
    {"cm", 1e4},
    {"centimeter", 1e4},
    {"m", 1e6},
    {"meter", 1e6},
    {"inch", 25400},
    {"in", 25400},
});

}  // namespace

double MicrometresPer(std::string_view unit) {
  const auto found = std::find_if(kUnits.begin(), kUnits.end(), [&](const Unit& known) { return known.name == unit; });
  return found == kUnits.end() ? 0 : found->um;
}

double PlausibleUm(double um) {
  return um >= 1 / limits::kMaximumUm && um <= limits::kMaximumUm ? um : 0;
}

double RoundedResolution(double value) {
  return std::strtod(fmt::format("{:.7g}", value).c_str(), nullptr);
}

std::string TextField(std::string_view text, size_t bytes) {
  std::string result = Printable(text.substr(0, bytes + 4));
  if (result.size() <= bytes) return result;
  size_t end = bytes;
  while (end > 0 && (static_cast<unsigned char>(result[end]) & 0xc0U) == 0x80U) --end;
  result.resize(end);
  return result;
}

std::string ChannelName(std::string_view text, int64_t channels) {
  return TextField(text,
                   std::min(limits::kDisplayNameBytes, limits::kChannelNamesBytes / static_cast<size_t>(channels)));
}

}  // namespace deconvoy::imageio

#include "client/imageio/imagej.h"

#include <fmt/format.h>

#include <array>
#include <boost/locale/encoding_utf.hpp>
#include <charconv>
#include <cmath>

namespace deconvoy::imageio {
namespace {

constexpr uint32_t kMagic = 0x494a494a;   // IJIJ
constexpr uint32_t kLabels = 0x6c61626c;  // labl
constexpr size_t kEntryBytes = 8;
// ImageJ shows at most this many channels together.
constexpr uint32_t kCompositeChannels = 7;

int64_t Count(std::string_view text) {
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && value > 0 ? value : 0;
}

double Length(std::string_view text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && std::isfinite(value) ? std::abs(value) : 0;  // ImageJ allows a negative spacing
}

void PutLittle(std::vector<std::byte>& bytes, uint32_t value, int width) {
  for (int i = 0; i < width; ++i) bytes.push_back(static_cast<std::byte>(value >> (8 * i) & 0xffU));
}

uint32_t Get(std::span<const std::byte> bytes, bool big_endian) {
  uint32_t value = 0;
  for (size_t i = 0; i < bytes.size(); ++i) {
    value = value << 8 | std::to_integer<uint32_t>(bytes[big_endian ? i : bytes.size() - 1 - i]);
  }
  return value;
}

std::string DecodeText(std::span<const std::byte> bytes, bool big_endian) {
  std::u16string text;
  for (size_t i = 0; i + 1 < bytes.size(); i += 2) {
    text.push_back(static_cast<char16_t>(Get(bytes.subspan(i, 2), big_endian)));
  }
  return boost::locale::conv::utf_to_utf<char>(text);
}

}  // namespace

std::optional<ImageJDescription> ParseImageJ(std::string_view text) {
  if (!text.starts_with("ImageJ=")) return std::nullopt;
  ImageJDescription result;
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.ends_with('\r')) line.remove_suffix(1);
    const size_t equals = line.find('=');
    if (equals == std::string_view::npos) continue;
    const std::string_view key = line.substr(0, equals), value = line.substr(equals + 1);
    if (key == "images") result.images = Count(value);
    if (key == "channels") result.channels = Count(value);
    if (key == "slices") result.slices = Count(value);
    if (key == "frames") result.frames = Count(value);
    if (key == "spacing") result.spacing = Length(value);
    if (key == "unit") result.unit = value;
  }
  return result;
}

std::string FormatImageJ(const v1::VolumeSpec& spec, const std::optional<DisplayRange>& range) {
  const v1::Shape5& shape = spec.shape();
  const bool composite = shape.c() > 1 && shape.c() <= kCompositeChannels;
  std::string text = fmt::format("ImageJ=1.53t\nimages={}\n", uint64_t{shape.t()} * shape.c() * shape.z());
  if (shape.c() > 1) text += fmt::format("channels={}\n", shape.c());
  text += fmt::format("slices={}\n", shape.z());
  if (shape.t() > 1) text += fmt::format("frames={}\n", shape.t());
  if (shape.c() > 1 || shape.t() > 1)
    text += fmt::format("hyperstack=true\nmode={}\n", composite ? "composite" : "grayscale");
  if (spec.voxel_size().x_um() > 0 && spec.voxel_size().y_um() > 0) {
    text += "unit=micron\n";
    if (spec.voxel_size().z_um() > 0) text += fmt::format("spacing={}\n", spec.voxel_size().z_um());
  }
  text += "loop=false\n";
  if (range && shape.c() == 1 && range->maximum > range->minimum)
    text += fmt::format("min={}\nmax={}\n", range->minimum, range->maximum);
  return text;
}

ImageJMetadata EncodeLabels(const std::vector<std::string>& labels) {
  ImageJMetadata result;
  PutLittle(result.bytes, kMagic, 4);
  PutLittle(result.bytes, kLabels, 4);
  PutLittle(result.bytes, static_cast<uint32_t>(labels.size()), 4);
  result.counts.push_back(static_cast<uint32_t>(result.bytes.size()));
  for (const std::string& label : labels) {
    const std::u16string text = boost::locale::conv::utf_to_utf<char16_t>(label);
    for (const char16_t unit : text) PutLittle(result.bytes, unit, 2);
    result.counts.push_back(static_cast<uint32_t>(text.size() * 2));
  }
  return result;
}

std::vector<std::string> DecodeLabels(std::span<const uint32_t> counts, std::span<const std::byte> bytes,
                                      bool big_endian) {
  std::vector<std::string> labels;
  if (counts.empty() || counts[0] < 4 + kEntryBytes || counts[0] > bytes.size()) return labels;
  if (Get(bytes.first(4), big_endian) != kMagic) return labels;
  const std::span<const std::byte> header = bytes.subspan(4, counts[0] - 4);
  bytes = bytes.subspan(counts[0]);
  counts = counts.subspan(1);
  for (size_t entry = 0; entry + kEntryBytes <= header.size(); entry += kEntryBytes) {
    const uint32_t kind = Get(header.subspan(entry, 4), big_endian);
    const uint32_t parts = Get(header.subspan(entry + 4, 4), big_endian);
    if (parts > counts.size()) return {};
    for (uint32_t part = 0; part < parts; ++part) {
      if (counts[part] > bytes.size()) return {};
      if (kind == kLabels) labels.push_back(DecodeText(bytes.first(counts[part]), big_endian));
      bytes = bytes.subspan(counts[part]);
    }
    counts = counts.subspan(parts);
  }
  return labels;
}

}  // namespace deconvoy::imageio

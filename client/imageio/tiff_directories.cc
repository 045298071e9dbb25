#include "client/imageio/tiff_directories.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>
#include <unordered_map>

#include "client/imageio/image_errors.h"

namespace deconvoy::imageio {
namespace {

constexpr size_t kDirectories = size_t{1} << 22;
constexpr std::string_view kCopyAgain = "Copy or export the file again.";

// Widths of the fields that differ between TIFF and BigTIFF.
struct Format {
  int64_t first_offset_at, offset_bytes, count_bytes, entry_bytes;
};
constexpr Format kClassic{4, 4, 2, 12};
constexpr Format kBig{8, 8, 8, 20};

std::optional<uint64_t> ReadNumber(const TiffFile& file, uint64_t offset, int64_t bytes) {
  if (offset > static_cast<uint64_t>(file.size()) || file.size() - static_cast<int64_t>(offset) < bytes) return {};
  std::array<std::byte, 8> raw{};
  const auto used = std::span(raw).first(static_cast<size_t>(bytes));
  if (!file.ReadAt(static_cast<int64_t>(offset), used)) return {};
  if (!file.big_endian()) std::reverse(used.begin(), used.end());
  uint64_t value = 0;
  for (const std::byte byte : used) value = value << 8 | std::to_integer<uint64_t>(byte);
  return value;
}

absl::Status Truncated(const TiffFile& file, size_t index, uint64_t offset) {
  return FileError(file.path(),
                   fmt::format("is truncated: the directory of page {} should be at byte {}, but the file has {} bytes",
                               index + 1, offset, file.size()),
                   kCopyAgain);
}

// The directory after page `last`, counted from 1, is that of page `earlier`, counted from 0.
absl::Status Loops(const TiffFile& file, size_t last, size_t earlier) {
  return FileError(file.path(),
                   fmt::format("is damaged: its directories loop, page {} leads back to page {}", last, earlier + 1),
                   kCopyAgain);
}

absl::Status TooMany(const TiffFile& file) {
  return FileError(file.path(), fmt::format("has more than {} pages", kDirectories), "Split the file.");
}

// Offset of the directory after the one at `offset`; 0 at the end of the chain.
absl::StatusOr<uint64_t> NextDirectory(const TiffFile& file, const Format& format, size_t index, uint64_t offset) {
  const std::optional<uint64_t> entries = ReadNumber(file, offset, format.count_bytes);
  if (!entries) return Truncated(file, index, offset);
  if (*entries == 0) {
    return FileError(file.path(), fmt::format("is damaged: the directory of page {} has no entries", index + 1),
                     kCopyAgain);
  }
  if (*entries > static_cast<uint64_t>(file.size() / format.entry_bytes)) return Truncated(file, index, offset);
  const uint64_t next_at =
      offset + static_cast<uint64_t>(format.count_bytes) + *entries * static_cast<uint64_t>(format.entry_bytes);
  const std::optional<uint64_t> next = ReadNumber(file, next_at, format.offset_bytes);
  if (!next) return Truncated(file, index, offset);
  return *next;
}

}  // namespace

absl::StatusOr<std::vector<uint64_t>> ListDirectories(const TiffFile& file) {
  const Format& format = file.big() ? kBig : kClassic;
  std::vector<uint64_t> offsets;
  std::unordered_map<uint64_t, size_t> seen;
  std::optional<uint64_t> offset = ReadNumber(file, static_cast<uint64_t>(format.first_offset_at), format.offset_bytes);
  while (offset.value_or(0) != 0) {
    if (const auto [earlier, is_new] = seen.emplace(*offset, offsets.size()); !is_new) {
      return Loops(file, offsets.size(), earlier->second);
    }
    if (offsets.size() == kDirectories) return TooMany(file);
    const absl::StatusOr<uint64_t> next = NextDirectory(file, format, offsets.size(), *offset);
    if (!next.ok()) return next.status();
    offsets.push_back(*offset);
    offset = *next;
  }
  if (offsets.empty()) return FileError(file.path(), "is a TIFF file with no pages", kCopyAgain);
  return offsets;
}

absl::Status ExtendDirectories(const TiffFile& file, std::vector<uint64_t>& offsets) {
  const Format& format = file.big() ? kBig : kClassic;
  std::unordered_map<uint64_t, size_t> seen;
  for (size_t i = 0; i < offsets.size(); ++i) seen.emplace(offsets[i], i);
  // Where the next directory is said to be; 0 or nothing where that is not written yet.
  const auto next_of_last = [&]() -> std::optional<uint64_t> {
    if (offsets.empty()) return ReadNumber(file, static_cast<uint64_t>(format.first_offset_at), format.offset_bytes);
    const auto next = NextDirectory(file, format, offsets.size() - 1, offsets.back());
    return next.ok() ? std::optional(*next) : std::nullopt;
  };
  for (uint64_t offset = next_of_last().value_or(0); offset != 0; offset = next_of_last().value_or(0)) {
    if (const auto [earlier, is_new] = seen.emplace(offset, offsets.size()); !is_new)
      return Loops(file, offsets.size(), earlier->second);
    if (offsets.size() == kDirectories) return TooMany(file);
    if (!NextDirectory(file, format, offsets.size(), offset).ok()) break;
    offsets.push_back(offset);
  }
  return absl::OkStatus();
}

}  // namespace deconvoy::imageio

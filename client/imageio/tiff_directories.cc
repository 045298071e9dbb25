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
      return FileError(file.path(),
                       fmt::format("is damaged: its directories loop, page {} leads back to page {}", offsets.size(),
                                   earlier->second + 1),
                       kCopyAgain);
    }
    if (offsets.size() == kDirectories) {
      return FileError(file.path(), fmt::format("has more than {} pages", kDirectories), "Split the file.");
    }
    const absl::StatusOr<uint64_t> next = NextDirectory(file, format, offsets.size(), *offset);
    if (!next.ok()) return next.status();
    offsets.push_back(*offset);
    offset = *next;
  }
  if (offsets.empty()) return FileError(file.path(), "is a TIFF file with no pages", kCopyAgain);
  return offsets;
}

}  // namespace deconvoy::imageio

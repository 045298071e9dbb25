#include "worker/learned/script_archive.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <string_view>

#include "proto/contract/error.h"
#include "proto/contract/limits.h"

namespace deconvoy::worker::learned {
namespace {

// Of the zip format, version 6.3.
constexpr std::string_view kEntry = "PK\1\2", kEnd = "PK\5\6", kLargeEnd = "PK\6\6", kLargeEndPlace = "PK\6\7";
constexpr size_t kEntryBytes = 46, kEndBytes = 22, kMostComment = 65'535;
constexpr size_t kLargeEndBytes = 56, kLargeEndPlaceBytes = 20;

absl::Status Bad(const std::string& what) {
  return MakeError({.reason = v1::BAD_MODEL,
                    .field = "check_model.model_volume",
                    .remedy = "Give a file of torch.jit.save, made with torch.jit.script or torch.jit.trace."},
                   what);
}

absl::Status TooLarge(const std::string& what, uint64_t limit) {
  return MakeError({.reason = v1::LIMIT_EXCEEDED,
                    .field = "check_model.model_volume",
                    .remedy = "Use a smaller model.",
                    .metadata = {{"limit", fmt::to_string(limit)}}},
                   what);
}

// A number of `bytes` bytes, little-endian. REQUIRES: they are there.
uint64_t NumberAt(std::string_view file, size_t at, size_t bytes) {
  uint64_t number = 0;
  for (size_t i = bytes; i-- > 0;) number = number << 8 | static_cast<unsigned char>(file[at + i]);
  return number;
}

// An archive may end with two records: the one of 64 bits, which readers believe where there is one, and at `end` that
// of 32 bits, which is what is looked at here. They must say the same.
bool EndsAgree(std::string_view file, size_t end) {
  if (end < kLargeEndPlaceBytes) return true;
  const size_t place = end - kLargeEndPlaceBytes;
  if (file.substr(place, kLargeEndPlace.size()) != kLargeEndPlace) return true;
  const uint64_t at = NumberAt(file, place + 8, 8);
  if (at > place || place - at < kLargeEndBytes || file.substr(at, kLargeEnd.size()) != kLargeEnd) return false;
  const uint64_t entries = NumberAt(file, end + 10, 2), bytes = NumberAt(file, end + 12, 4);
  return NumberAt(file, at + 24, 8) == entries && NumberAt(file, at + 32, 8) == entries &&
         NumberAt(file, at + 40, 8) == bytes && NumberAt(file, at + 48, 8) == NumberAt(file, end + 16, 4);
}

constexpr char kPickle[] =
    "the file is a pickle of torch.save, which may do anything when it is read, and is never read here";

}  // namespace

absl::Status CheckArchive(std::span<const std::byte> bytes) {
  const std::string_view file(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  if (file.size() > static_cast<uint64_t>(limits::kModelBytes)) {
    return TooLarge(fmt::format("the file has {} bytes, more than {}", file.size(), limits::kModelBytes),
                    static_cast<uint64_t>(limits::kModelBytes));
  }
  if (file.starts_with('\x80')) return Bad(kPickle);
  const size_t from = file.size() < kEndBytes + kMostComment ? 0 : file.size() - kEndBytes - kMostComment;
  const size_t end = file.rfind(kEnd);
  if (!file.starts_with("PK\3\4") || end == std::string_view::npos || end < from || file.size() - end < kEndBytes) {
    return Bad("the file is no zip archive, and so no TorchScript");
  }
  if (!EndsAgree(file, end)) return Bad("the archive tells of two directories that are not the same");
  const uint64_t entries = NumberAt(file, end + 10, 2);
  if (entries > kMostArchiveEntries) {
    return TooLarge(fmt::format("the archive has {} entries, more than {}", entries, kMostArchiveEntries),
                    kMostArchiveEntries);
  }
  uint64_t unpacked = 0;
  bool code = false, data = false;
  size_t at = NumberAt(file, end + 16, 4);
  for (uint64_t i = 0; i < entries; ++i) {
    if (at > end || end - at < kEntryBytes || file.substr(at, kEntry.size()) != kEntry) {
      return Bad(fmt::format("entry {} of the archive's directory is broken", i));
    }
    const size_t name_bytes = NumberAt(file, at + 28, 2);
    const size_t all = kEntryBytes + name_bytes + NumberAt(file, at + 30, 2) + NumberAt(file, at + 32, 2);
    if (all > end - at) return Bad(fmt::format("entry {} of the archive's directory is cut off", i));
    unpacked += NumberAt(file, at + 24, 4);
    const std::string_view name = file.substr(at + kEntryBytes, name_bytes);
    const size_t slash = name.find('/');
    const std::string_view inside = slash == std::string_view::npos ? "" : name.substr(slash + 1);
    code = code || inside.starts_with("code/");
    data = data || inside == "data.pkl";
    at += all;
  }
  if (unpacked > kMostUnpackedBytes) {
    return TooLarge(fmt::format("the archive unpacks to {} bytes, more than {}", unpacked, kMostUnpackedBytes),
                    kMostUnpackedBytes);
  }
  if (data && !code) return Bad(kPickle);
  return code && data ? absl::OkStatus() : Bad("the archive has no `code/` and `data.pkl`, and so is no TorchScript");
}

}  // namespace deconvoy::worker::learned

#include "proto/contract/server_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <string>

#include "proto/contract/error.h"
#include "proto/contract/limits.h"
#include "proto/contract/resource_name.h"
#include "proto/contract/status_macros.h"
#include "proto/contract/validation.h"

namespace deconvoy {
namespace {

constexpr size_t kRootBytes = 64;
constexpr size_t kNameBytes = 255;  // of one folder or file, as file systems have it
constexpr size_t kShownPathBytes = 200;
constexpr char kForm[] =
    "Give the name of one of the server's folders for files and a path below it: data/day1/raw.tif.";

std::string Shown(std::string_view file) {
  return Printable(file.substr(0, kShownPathBytes));
}

absl::Status Malformed(std::string_view file, std::string_view field, std::string_view what) {
  return MakeError({.reason = v1::INVALID_FIELD, .field = std::string(field), .remedy = kForm},
                   fmt::format("`{}` is `{}`, {}", field, Shown(file), what));
}

absl::Status Leaving(std::string_view file, std::string_view field, std::string_view how) {
  return MakeError({.reason = v1::PATH_NOT_ALLOWED, .field = std::string(field), .remedy = kForm},
                   fmt::format("`{}` is `{}`, which {}", field, Shown(file), how));
}

// One name of a path.
absl::Status CheckName(std::string_view name, std::string_view file, std::string_view field) {
  if (name == "..") return Leaving(file, field, "leads out of its folder by `..`");
  if (name.empty() || name == ".") return Malformed(file, field, "which has an empty name or `.` in it");
  if (name.size() <= kNameBytes) return absl::OkStatus();
  return MakeError({.reason = v1::LIMIT_EXCEEDED,
                    .field = std::string(field),
                    .remedy = "Give shorter names.",
                    .metadata = {{"limit", fmt::to_string(kNameBytes)}}},
                   fmt::format("`{}` has a name of {} bytes in it, more than {}", field, name.size(), kNameBytes));
}

bool EndsAsTiff(std::string name) {
  std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) { return std::tolower(c); });
  return name.ends_with(".tif") || name.ends_with(".tiff");
}

}  // namespace

bool IsRootName(std::string_view name) {
  return !name.empty() && name.size() <= kRootBytes && name != "." && name != ".." &&
         std::all_of(name.begin(), name.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
         });
}

absl::StatusOr<ServerFile> ParseServerFile(std::string_view file, std::string_view field) {
  if (file.size() > kRootBytes + 1 + limits::kFilePathBytes) {
    return MakeError(
        {.reason = v1::LIMIT_EXCEEDED,
         .field = std::string(field),
         .remedy = "Give a shorter path.",
         .metadata = {{"limit", fmt::to_string(limits::kFilePathBytes)}}},
        fmt::format("`{}` has {} bytes, and a path may have {}", field, file.size(), limits::kFilePathBytes));
  }
  if (file.starts_with('/')) return Leaving(file, field, "is an absolute path");
  if (Printable(file) != file) return Malformed(file, field, "which has control characters in it or is not UTF-8");
  const size_t cut = file.find('/');
  const std::string_view root = file.substr(0, cut);
  if (root == "..") return Leaving(file, field, "leads out of its folder by `..`");
  if (cut == std::string_view::npos || !IsRootName(root)) return Malformed(file, field, "which is not ROOT/PATH");
  const std::string_view path = file.substr(cut + 1);
  if (path.starts_with('/')) return Leaving(file, field, "has an absolute path in it");
  for (size_t begin = 0, end = 0; end != std::string_view::npos; begin = end + 1) {
    end = path.find('/', begin);
    RETURN_IF_ERROR(CheckName(path.substr(begin, end == std::string_view::npos ? end : end - begin), file, field));
  }
  return ServerFile{std::string(root), std::string(path)};
}

absl::Status ValidateImport(const v1::ImportSpec& spec) {
  RETURN_IF_ERROR(ParseServerFile(spec.file(), "import_file.file").status());
  // A volume of one voxel, so that the rules for volumes apply to what is given.
  v1::VolumeSpec volume;
  volume.set_display_name(spec.display_name());
  volume.set_type(v1::U8);
  for (const auto set :
       {&v1::Shape5::set_t, &v1::Shape5::set_c, &v1::Shape5::set_z, &v1::Shape5::set_y, &v1::Shape5::set_x}) {
    (volume.mutable_shape()->*set)(1);
  }
  *volume.mutable_voxel_size() = spec.voxel_size();
  return ValidateVolumeSpec(volume);
}

absl::Status ValidateExport(const v1::ExportSpec& spec) {
  RETURN_IF_ERROR(VolumeId(spec.volume(), "export_file.volume").status());
  ASSIGN_OR_RETURN(const ServerFile file, ParseServerFile(spec.file(), "export_file.file"));
  if (!EndsAsTiff(file.path)) {
    return MakeError({.reason = v1::INVALID_FIELD,
                      .field = "export_file.file",
                      .remedy = "Name it .tif, .tiff, .ome.tif or .ome.tiff."},
                     fmt::format("`export_file.file` is `{}`, and only TIFF is written", Shown(spec.file())));
  }
  if (v1::FileCompression_IsValid(spec.compression())) return absl::OkStatus();
  return MakeError({.reason = v1::INVALID_FIELD,
                    .field = "export_file.compression",
                    .remedy = "Give FILE_DEFLATE, FILE_ZSTD or nothing."},
                   fmt::format("`export_file.compression` is {}, which is none of its values",
                               static_cast<int>(spec.compression())));
}

}  // namespace deconvoy

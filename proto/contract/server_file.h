// Files on storage that the server sees, as imports and exports name them: `ROOT/PATH`, a folder that the server's
// configuration has given a name, and a path below it. What the path leads to on the disk is the worker's affair.
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <string>
#include <string_view>

#include "deconvoy/v1/jobs.pb.h"

namespace deconvoy {

struct ServerFile {
  std::string root;  // name of a root
  std::string path;  // below it: names joined by `/`, none of them empty, `.` or `..`
  friend bool operator==(const ServerFile&, const ServerFile&) = default;
};

// 1 to 64 characters of [a-z0-9._-], neither `.` nor `..`.
bool IsRootName(std::string_view name);

// The parts of `file`. Errors: PATH_NOT_ALLOWED for what would leave the root (`..`, an absolute path); INVALID_FIELD,
// naming `field`, for anything else that is not of this form, control characters included; LIMIT_EXCEEDED.
absl::StatusOr<ServerFile> ParseServerFile(std::string_view file, std::string_view field);

// Checks that need nothing but the request. Errors: as ParseServerFile; INVALID_FIELD, for an export also where the
// file's name does not end as that of a TIFF.
absl::Status ValidateImport(const v1::ImportSpec& spec);
absl::Status ValidateExport(const v1::ExportSpec& spec);

}  // namespace deconvoy

// Files on storage that the server sees, brought into volumes and back by the server itself.
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <optional>
#include <stop_token>
#include <string>
#include <string_view>

#include "client/cli/progress.h"
#include "client/cpp/client.h"

namespace deconvoy::client {

// What such a file is called where a file of this machine might stand, too: `server:ROOT/PATH`.
bool IsServerFile(std::string_view text);

// Has the server read a file (`ROOT/PATH`, also with `server:` before it) and waits for it; the ended job, whose output
// is the volume. `stop` cancels the job (CancelFollowed). Errors: those of Volumes.Import, and of the job.
absl::StatusOr<v1::Job> ImportFile(const Client& client, v1::ImportVolumeRequest request, Progress& progress,
                                   const std::stop_token& stop);
// The same for a volume that is written into a file.
absl::StatusOr<v1::Job> ExportFile(const Client& client, v1::ExportVolumeRequest request, Progress& progress,
                                   const std::stop_token& stop);

}  // namespace deconvoy::client

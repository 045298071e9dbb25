// A result of a job that is still running, written as it comes.
#pragma once

#include <absl/status/statusor.h>

#include <filesystem>
#include <stop_token>
#include <string>

#include "client/cli/console.h"
#include "client/cli/progress.h"
#include "client/cpp/client.h"
#include "client/imageio/image_file.h"

namespace deconvoy::client {

// Writes the output called `role` into `file` while the job computes it, waits for the job's end, and says that it has
// been written; returns the job as it ended. The file appears when it is whole. Errors: those of OutputVolume and
// ResultFile; that of a job that has failed or was cancelled (OutcomeOf).
absl::StatusOr<v1::Job> FollowOutput(const Client& client, const v1::Job& job, const std::string& role,
                                     const std::filesystem::path& file, const imageio::WriteOptions& options,
                                     const Console& console, Progress& progress, const std::stop_token& stop);

}  // namespace deconvoy::client

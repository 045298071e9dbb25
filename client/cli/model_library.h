// Models: keeping what a job has found, and files in volumes.
#pragma once

#include <absl/status/statusor.h>

#include <filesystem>
#include <stop_token>
#include <string>

#include "client/cli/console.h"
#include "client/cli/job_run.h"
#include "client/cpp/client.h"

namespace deconvoy::client {

// NAME of a model that does not say a version. An error of usage for anything else.
absl::StatusOr<std::string> NewModelId(const std::string& name);

// Keeps what the job has trained or checked as the next version of the model `id`, and says so; its volume is no
// leftover any more.
absl::StatusOr<v1::Model> KeepModel(const Client& client, const std::string& id, const std::string& description,
                                    const v1::Job& job, Leftovers& leftovers, const Console& console,
                                    const std::stop_token& stop);

// Uploads a file into a volume of its own, whose name it returns. Errors: INVALID_FIELD (no file that can be read),
// LIMIT_EXCEEDED, before anything is allocated; those of Upload.
absl::StatusOr<std::string> UploadModelFile(const Client& client, const std::filesystem::path& file,
                                            const std::stop_token& stop);

// The file in a model's volume; CHECKSUM_MISMATCH where it is not the one that was checked.
absl::StatusOr<std::string> DownloadModelFile(const Client& client, const v1::Model& model,
                                              const std::stop_token& stop);

}  // namespace deconvoy::client

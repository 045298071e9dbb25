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

// What is to be checked of a model's file: its format, by its first bytes, and the text of its descriptor, without its
// volume. `descriptor` is empty for none. Errors: INVALID_FIELD (no file that can be read; a descriptor of a file that
// needs none, or none where one is needed), LIMIT_EXCEEDED, before anything is allocated.
struct ModelFile {
  v1::CheckModelSpec spec;
  std::string bytes;
};
absl::StatusOr<ModelFile> ReadModelFile(const std::filesystem::path& file, const std::filesystem::path& descriptor);

// Uploads a file into a volume of its own called `name`, and returns the volume's name. Errors: those of Upload.
absl::StatusOr<std::string> UploadModelFile(const Client& client, const std::string& bytes, const std::string& name,
                                            const std::stop_token& stop);

// The file in a model's volume; CHECKSUM_MISMATCH where it is not the one that was checked.
absl::StatusOr<std::string> DownloadModelFile(const Client& client, const v1::Model& model,
                                              const std::stop_token& stop);

}  // namespace deconvoy::client

// Models: keeping what a job has found, and files in volumes.
#pragma once

#include <absl/status/statusor.h>

#include <filesystem>
#include <stop_token>
#include <string>

#include "client/cli/console.h"
#include "client/cli/job_run.h"
#include "client/cli/progress.h"
#include "client/cli/session.h"
#include "client/cpp/client.h"

namespace deconvoy::client {

// NAME of a model that does not say a version. An error of usage for anything else.
absl::StatusOr<std::string> NewModelId(const std::string& name);

// Keeps what the job has trained or checked as the next version of the model `id`; its volume is no leftover any more.
absl::StatusOr<v1::Model> KeepModel(const Client& client, const std::string& id, const std::string& description,
                                    const v1::Job& job, Leftovers& leftovers, const std::stop_token& stop);

// What a model comes to on one kind of specimen, for people, beside the image and rl where that was compared.
std::string QualityLine(const v1::ModelQuality& quality);

// Says what has been kept, and how good it is.
void SayKept(const v1::Model& model, const Console& console);

// A model's file, and what is to be checked of it: its format, by its first bytes, and the text of its descriptor,
// without its volume.
struct ModelFile {
  std::filesystem::path path;
  v1::CheckModelSpec spec;
  std::string bytes;

  // SHA-256 of the bytes, as ModelFacts has it.
  std::string Digest() const;
};

// Reads a file that `option` names. Errors: INVALID_FIELD (no file that can be read), LIMIT_EXCEEDED, before anything
// is allocated.
absl::StatusOr<ModelFile> ReadModelFile(const std::filesystem::path& file, const std::string& option);

// Adds the text of a descriptor; `descriptor` is empty for none. Errors: INVALID_FIELD (a descriptor of a file that
// needs none, or none where one is needed; no text), LIMIT_EXCEEDED.
absl::Status AddDescriptor(const std::filesystem::path& descriptor, ModelFile& file);

// BAD_MODEL unless the file begins as one of its format: what can be seen without a worker.
absl::Status CheckBeginning(const ModelFile& file);

// Uploads a file, has a worker check it, and keeps it as the next version of the model `id`. Errors: those of Upload,
// RunJob and Models.Create.
absl::StatusOr<v1::Model> ImportModel(Session& session, const ModelFile& file, const std::string& id,
                                      const std::string& description, Leftovers& leftovers, Progress& progress,
                                      const std::stop_token& stop);

// The file in a model's volume; CHECKSUM_MISMATCH where it is not the one that was checked.
absl::StatusOr<std::string> DownloadModelFile(const Client& client, const v1::Model& model,
                                              const std::stop_token& stop);

}  // namespace deconvoy::client

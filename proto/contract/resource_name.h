// Names of the things the service keeps: `volumes/{id}`, `jobs/{id}`, `jobs/{id}/tasks/{n}`, `workers/{id}`,
// `psfs/{id}/versions/{n}`, `models/{id}/versions/{n}`.
//
// An id is 1 to 40 characters of [a-z0-9-], that of a PSF or model 1 to 63 of them and the first a letter; n is a
// decimal number.
#pragma once

#include <absl/status/statusor.h>

#include <cstdint>
#include <string>
#include <string_view>

namespace deconvoy {

std::string VolumeName(std::string_view id);
std::string JobName(std::string_view id);
std::string WorkerName(std::string_view id);
std::string TaskName(std::string_view job_id, int64_t number);

// The id in a name; INVALID_ARGUMENT, naming `field`, for anything else.
absl::StatusOr<std::string> VolumeId(std::string_view name, std::string_view field);
absl::StatusOr<std::string> JobId(std::string_view name, std::string_view field);
absl::StatusOr<std::string> WorkerId(std::string_view name, std::string_view field);

struct TaskId {
  std::string job_id;
  int64_t number = 0;
  friend bool operator==(const TaskId&, const TaskId&) = default;
};
absl::StatusOr<TaskId> ParseTaskName(std::string_view name, std::string_view field);

// A PSF of the library, or one version of it.
struct PsfId {
  std::string id;
  int64_t version = 0;  // from 1; 0: none is named
  friend bool operator==(const PsfId&, const PsfId&) = default;
};
// `psfs/{id}` without a version.
std::string PsfName(const PsfId& psf);
absl::StatusOr<PsfId> ParsePsfName(std::string_view name, std::string_view field);

// A model that is kept, or one version of it.
struct ModelId {
  std::string id;
  int64_t version = 0;  // from 1; 0: none is named
  friend bool operator==(const ModelId&, const ModelId&) = default;
};
// `models/{id}` without a version.
std::string ModelName(const ModelId& model);
absl::StatusOr<ModelId> ParseModelName(std::string_view name, std::string_view field);

// Whether it can be the id of a PSF, or of a model.
bool IsPsfId(std::string_view id);
// Whether the name is meant as that of a PSF, well formed or not.
bool IsOfPsf(std::string_view name);

}  // namespace deconvoy

// What jobs that train, check or use models need besides what every job needs.
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <map>
#include <string>
#include <vector>

#include "deconvoy/v1/jobs.pb.h"
#include "deconvoy/v1/methods.pb.h"
#include "deconvoy/v1/volumes.pb.h"
#include "server/jobs/capabilities.h"
#include "server/store/store.h"

namespace deconvoy::server {

using ModelUses = google::protobuf::RepeatedPtrField<v1::ModelUse>;

// What every error below may be besides those that are named: of the store.

// A training that can be accepted.
struct TrainingExamination {
  v1::TrainModelSpec spec;  // with its defaults filled in
  v1::NetworkDescription network;
  std::map<std::string, v1::VolumeSpec> inputs;  // that it learns from, by id; without its PSF
  int64_t memory_bytes = 0;                      // of a part, without its PSF
};
// Errors: NO_WORKER (nobody can train), INVALID_FIELD (network, method, volumes that do not go together), NOT_FOUND,
// VOLUME_INCOMPLETE, UNKNOWN_METHOD and those of parameters.
absl::StatusOr<TrainingExamination> ExamineTraining(Store& store, const std::string& owner,
                                                    const Capabilities& capabilities, const v1::TrainModelSpec& spec);

// Whether a PSF suits a training: one frame, SHAPE_MISMATCH otherwise; VOXEL_SIZE_MISMATCH where both tell a voxel
// size, and another one.
absl::Status CheckTrainingPsf(const v1::TrainModelSpec& spec, const v1::VolumeSpec& psf);

// VOXEL_SIZE_MISMATCH for an image or truth that tells another voxel size than the model is for. `inputs` as above.
absl::Status CheckTrainingVoxels(const v1::TrainModelSpec& spec, const v1::VolumeSpec& psf,
                                 const std::map<std::string, v1::VolumeSpec>& inputs);

// Memory of a part of a training that its PSF makes: itself, and what specimens are drawn and blurred in. `spec` has
// its defaults filled in, and has been examined.
double BytesForPsf(const Capabilities& capabilities, const v1::TrainModelSpec& spec, const v1::VolumeSpec& psf);

// The id and description of the volume whose file is to be checked. Errors: NO_WORKER (also for a format that none
// reads), NOT_FOUND, VOLUME_INCOMPLETE, INVALID_FIELD (it holds no file), LIMIT_EXCEEDED.
absl::StatusOr<std::map<std::string, v1::VolumeSpec>> ExamineModelFile(Store& store, const std::string& owner,
                                                                       const Capabilities& capabilities,
                                                                       const v1::CheckModelSpec& spec);

// The models that the job names, whose names become those of versions; none where it names none. Errors: NOT_FOUND,
// those of names.
absl::StatusOr<ModelUses> LookUpModels(Store& store, const std::string& owner, v1::DeconvolveSpec& spec);

// INVALID_FIELD unless method, models and what is asked of them go together; NO_WORKER where nobody can run the method.
absl::Status CheckModels(const v1::Method& method, const v1::DeconvolveSpec& spec, const ModelUses& models);

// The same of a method that takes a denoiser, of a job that names models: INVALID_FIELD unless there is one, of a
// network that denoises, and nothing is asked for that only models that make the result have, nor another denoiser.
// `network` is the method that runs models, `given` the specification without defaults.
absl::Status CheckDenoiser(const v1::Method& network, const v1::DeconvolveSpec& given, const ModelUses& models);

// INVALID_FIELD for a method that results of models cannot be compared with: one with models of its own, or that does
// not make one image from one with the PSF as it is given, and with the boundary EXTEND.
absl::Status CheckComparable(const v1::Method& method);

// What to say of models for an image with such voxels: which they are, voxels that they were not trained for, and of
// those that restore the image (`restore`) that do not tell for which PSF, that they do not.
std::vector<v1::Finding> ModelFindings(const ModelUses& models, const v1::VoxelSize& voxel, bool restore);

// Whether a tile of a frame of so many is also computed by the classical method: `compared_tiles`, evenly spread.
bool IsComparedTile(const v1::DeconvolveSpec& spec, int64_t tile, int64_t tiles);

// The method that a worker must have (MethodWithFormat) for the tasks of a job with these models; empty: none. With
// models it is the one that runs them: whoever can do that has all the others, too.
std::string NeededMethod(const v1::JobSpec& spec, const ModelUses& models);
std::string NeededMethod(const v1::DeconvolveSpec& spec, const ModelUses& models);

}  // namespace deconvoy::server

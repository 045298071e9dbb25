// Checks of what is asked of models, and the defaults of their training.
#pragma once

#include <absl/status/status.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <set>

#include "deconvoy/v1/jobs.pb.h"
#include "deconvoy/v1/models.pb.h"
#include "proto/contract/geometry.h"
#include "proto/contract/parameters.h"

namespace deconvoy {

// The method that runs models; a worker that knows it trains and checks them, too.
inline constexpr char kNetworkMethod[] = "network";

inline constexpr int kMostModels = 16;                  // that one job applies
inline constexpr int32_t kMostComparedTiles = 64;       // of one frame
inline constexpr size_t kMostDescriptorBytes = 65'535;  // of a model that is a program
inline constexpr size_t kMostModelTextBytes = 131'072;  // that a model's file tells, such as its recipe
inline constexpr int64_t kSmallBoxBytes = 64 << 20;     // of a network's memory, what does not grow with its boxes
inline constexpr int kMostTrainingVolumes = 64;         // of images, and of truths

// Whether mixed specimens are learned from, as they are without any `kinds`, and all that they are made of is held out.
template <class Kinds>
bool HoldsOutAllOfMixed(const Kinds& kinds, const Kinds& held_out) {
  constexpr size_t kMixedKinds = v1::SpecimenKind_ARRAYSIZE - 2;  // all but MIXED and unspecified
  const bool mixed = kinds.empty() || std::find(kinds.begin(), kinds.end(), v1::MIXED) != kinds.end();
  return mixed && std::set<int>(held_out.begin(), held_out.end()).size() >= kMixedKinds;
}

// INVALID_FIELD or LIMIT_EXCEEDED unless the specification is well formed; whether its volumes, its network and its
// method are there and go together is for those who have them.
absl::Status ValidateTrainModel(const v1::TrainModelSpec& spec);
absl::Status ValidateCheckModel(const v1::CheckModelSpec& spec);
absl::Status ValidateCreateModel(const v1::CreateModelRequest& request);
// The fields of a deconvolution that are about models: names, and what makes sense with models only.
absl::Status ValidateModelFields(const v1::DeconvolveSpec& spec);

// Whether the job's models make its result, as against one that only takes noise out in a method's iterations.
bool AppliesModels(const v1::DeconvolveSpec& spec);

// What tiles need around their cores for models, with what aligns their boxes; none without models.
Shape3 ModelHalo(const google::protobuf::RepeatedPtrField<v1::ModelUse>& models);

// Extents of the boxes, without their halo, in which a model takes noise out of a padded domain.
inline constexpr Shape3 kDenoisedCore{112, 112, 112};

// Adds what the model takes that is a method's denoiser: one box, with the values that go in and come out; and for each
// padded voxel its value and what becomes of it. `bytes_per_voxel` and `halo` are the model's.
void AddDenoiserMemory(double bytes_per_voxel, const Shape3& halo, MethodMemory& memory);

// Working memory for each padded voxel of a tile that models and the classical method beside them take; null: none is.
double ModelBytesPerVoxel(const google::protobuf::RepeatedPtrField<v1::ModelUse>& models, const v1::Method* classical);

// With every default filled in that does not depend on the network.
v1::TrainModelSpec WithDefaults(v1::TrainModelSpec spec);

// Bytes of the examples that a training keeps in memory: input and target of the specimens that its steps draw, and of
// those of the validation. REQUIRES: defaults filled in.
double TrainingExampleBytes(const v1::TrainModelSpec& spec);

// Memory of a part of a training: of a step, by the network's need for each voxel of the batch, of the examples, and of
// what the part reads: `values` of images, truths and PSF, and bytes of the state before, each as it is read and once
// more as a number. REQUIRES: defaults filled in.
double TrainingBytes(const v1::TrainModelSpec& spec, double bytes_per_voxel, double values);

// And while a specimen is drawn and blurred with a PSF of such extents, or an image of it is given to a method that
// takes `method`: that whose results are learned, or rl, beside which models are judged. None is drawn where images are
// given, and nothing is blurred where noise is learned. REQUIRES: defaults filled in.
double TrainingSceneBytes(const v1::TrainModelSpec& spec, const Shape3& psf, const MethodMemory& method);

// So many steps are done before a part: its first step. `part` from 0 to `spec.parts()`. REQUIRES: defaults filled in.
uint32_t FirstStep(const v1::TrainModelSpec& spec, uint32_t part);

}  // namespace deconvoy

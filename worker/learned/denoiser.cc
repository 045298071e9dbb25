#include "worker/learned/denoiser.h"

#include <fmt/format.h>

#include <utility>
#include <vector>

#include "proto/contract/error.h"
#include "proto/contract/model_spec.h"
#include "proto/contract/status_macros.h"

namespace deconvoy::worker::learned {
namespace {

class Running final : public Denoiser {
 public:
  Running(const Model& model, Ops& ops)
      : model_(model), ops_(ops), values_(static_cast<size_t>(ops.domain().voxels())) {}

  absl::Status Denoise(Array& v, float sigma) override {
    RETURN_IF_ERROR(ops_.Download(v, v.box(), values_));
    const Model* const models[] = {&model_};
    ASSIGN_OR_RETURN(const Estimate estimate, ApplyToFrame(models, values_, v.box().shape, {}, kDenoisedCore, sigma));
    return ops_.Upload(estimate.value, v.box(), v);
  }

 private:
  // Constant.
  const Model& model_;
  Ops& ops_;

  std::vector<float> values_;  // of the domain, scratch
};

}  // namespace

absl::StatusOr<std::unique_ptr<LearnedDenoiser>> LearnedDenoiser::Of(const Model& model) {
  if (model.kind().purpose != Purpose::kDenoise) {
    return MakeError({.reason = v1::INVALID_FIELD, .field = "model", .remedy = "Name a model of dncnn3d."},
                     fmt::format("a model of {} takes no noise out", model.kind().name));
  }
  return std::unique_ptr<LearnedDenoiser>(new LearnedDenoiser(model));
}

// The values and those of the result 8; the model's own memory is that of one box.
double LearnedDenoiser::bytes_per_padded_voxel() const {
  const Shape3 halo = model_.halo();
  const Shape3& core = kDenoisedCore;
  const Shape3 box{core.z + 2 * halo.z, core.y + 2 * halo.y, core.x + 2 * halo.x};
  return 8 + static_cast<double>(model_.MemoryBytes(box)) / static_cast<double>(core.voxels());
}

absl::StatusOr<std::unique_ptr<Denoiser>> LearnedDenoiser::Open(const Problem& problem) const {
  return std::make_unique<Running>(model_, *problem.ops);
}

}  // namespace deconvoy::worker::learned

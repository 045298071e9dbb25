// A learned denoiser for the methods that are given their prior as one (worker/methods/denoiser.h).
//
// The model sees the whole domain of a problem at once, or in boxes of at most kDenoisedCore voxels along each axis
// with its halo, which changes nothing. Values below 0 stay as the model leaves them: the method clips.
#pragma once

#include <memory>

#include "worker/learned/network.h"
#include "worker/methods/denoiser.h"

namespace deconvoy::worker::learned {

class LearnedDenoiser final : public DenoiserKind {
 public:
  // INVALID_FIELD for a model of a network that does not denoise. The model must outlive it.
  static absl::StatusOr<std::unique_ptr<LearnedDenoiser>> Of(const Model& model);

  std::string_view name() const override { return model_.kind().name; }
  std::string_view meaning() const override { return model_.kind().structure; }
  double bytes_per_padded_voxel() const override;
  absl::StatusOr<std::unique_ptr<Denoiser>> Open(const Problem& problem) const override;

 private:
  explicit LearnedDenoiser(const Model& model) : model_(model) {}

  const Model& model_;
};

}  // namespace deconvoy::worker::learned

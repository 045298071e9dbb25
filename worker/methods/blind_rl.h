// Blind Richardson-Lucy: the PSF is estimated, too.
//
// The PSF of each channel is estimated once, on one tile, from the image and the given PSF (psf_estimation.h); then
// every tile is deconvolved with it as rl does with heavy-ball and H*:
//
//   x <- p / w . H*( m y / max(H p + b, e mean y) ),   w = H* m,   no update where w < 0.01
//
// in the terms of worker/methods/rl.h, whose noise model, zero rules and objective it has. Boundary: EXTEND, since a
// PSF that wraps around or is reflected could not be told from its own copies. With `zernike` the PSF is one of the
// given optics, whose aberrations are sought (pupil_fit.h).
//
// 4 transforms per iteration. Memory: what the estimation takes, more than the iterations do: per padded voxel 20.3,
// per measured one 4. What it takes for the PSF itself is less than the weights of the iterations, which are not there
// then; but slopes along Zernike modes take 4 for each of these and voxel of the PSF, which has at most half as many
// voxels as the padded tile.
#pragma once

#include "worker/methods/method.h"

namespace deconvoy::worker {

class BlindRl final : public DescribedMethod {
 public:
  BlindRl();

  absl::StatusOr<std::vector<Advice>> Review(const Parameters& parameters, const PsfFacts& psf) const override;
  absl::StatusOr<EstimatedPsf> EstimatePsf(const Problem& problem, PreparedPsf guess, const Parameters& parameters,
                                           Monitor& monitor) const override;
  absl::StatusOr<std::unique_ptr<Array>> Run(const Problem& problem, const Parameters& parameters,
                                             Monitor& monitor) const override;
};

}  // namespace deconvoy::worker

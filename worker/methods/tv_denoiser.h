// Denoiser by total variation: the x at which
//
//   |x - v|^2 / 2 + sigma |D x|_1
//
// is least, |.|_1 and D as in worker/methods/admm.h (`tv`). By its dual, x = v - D* p with p no longer than sigma at
// any voxel: 5 steps
//
//   p <- P( p + s D (v - D* p) ),   s = 1 / (4 sum of the squared factors),   P: to the length sigma where it is longer
//
// from the p of the call before, so that over the iterations of a run it comes as close as more steps would.
//
// A. Chambolle, J. Math. Imaging Vis. 20 (2004) 89; in the form of EMMCVPR (2005) 136.
//
// No transforms. Bytes per padded voxel: p 12, v 4.
#pragma once

#include "worker/methods/denoiser.h"

namespace deconvoy::worker {

class TotalVariationDenoiser final : public DenoiserKind {
 public:
  std::string_view name() const override { return "tv"; }
  std::string_view meaning() const override { return "Total variation: edges stay, what lies between becomes flat"; }
  double bytes_per_padded_voxel() const override { return 16; }
  absl::StatusOr<std::unique_ptr<Denoiser>> Open(const Problem& problem) const override;
};

}  // namespace deconvoy::worker

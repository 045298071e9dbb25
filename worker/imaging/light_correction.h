// Brings the photons of each plane to what an even field would have shown in the light of the first plane, and tells
// what each voxel then weighs.
//
//   y = b + (p / f - b_z) / s,   m = m f s / max(f s)      f flat field of mean 1, s light of the plane, b background
//
// Where planes have backgrounds b_z of their own, b is the largest, so that one background serves the whole frame; what
// is added has no noise, so that methods take such planes for noisier than they are. Where b_z is b, p is a Poisson
// variable whose mean is f s times that of y. Its log-likelihood, up to a constant, is that of y with the weight f s
// (decision 22): where there was less light, y counts less.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace deconvoy::worker {

struct LightCorrection {
  std::vector<float> flat =
      {};                  // f of the pixels of a region, of mean 1 over the field; none positive: no light; empty: 1
  float flat_maximum = 1;  // over the field
  std::vector<float> light = {};        // s > 0 of the planes of the region; empty: 1
  float light_maximum = 1;              // over the frame
  float background = 0;                 // b, photons
  std::vector<float> backgrounds = {};  // b_z of the planes of the region, at most b; empty: b

  // Whether photons become others.
  bool changes() const { return !flat.empty() || !light.empty() || !backgrounds.empty(); }
  // Whether voxels of a region weigh differently.
  bool weighs() const;
  // Plane `z` of the region: p becomes y. Pixels without light become b.
  void Apply(int64_t z, std::span<float> photons) const;
  // m of plane `z`, multiplied by f s over its maximum.
  void Weigh(int64_t z, std::span<float> m) const;
};

}  // namespace deconvoy::worker

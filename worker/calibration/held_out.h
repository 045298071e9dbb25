// What is kept from a method, to judge what it makes of the rest.
//
// Photons: of the n photons of a voxel, kept = Binomial(n, share), held out = n - kept. For Poisson counts the two are
// independent, so that noise which a method has fitted in one does not help it with the other. A value that is not
// whole is rounded up with the probability of its fraction. Up to 256 photons the binomial number is exact, above it is
// a rounded normal one of the same mean and variance.
//
// Voxels: a random sixteenth does not count (mask 0) and is held out. Right for any noise that is independent from
// voxel to voxel.
//
// Random numbers are keyed by the voxel's position in the frame: tiles agree where they overlap, and with a mirrored
// margin a voxel and its images are split alike.
#pragma once

#include <absl/status/statusor.h>

#include <memory>

#include "worker/methods/method.h"

namespace deconvoy::worker {

// Of the photons, that is kept. Estimates from it have almost the noise of those from all.
inline constexpr double kKeptShare = 0.9;

struct HeldOut {
  Problem problem;                           // for the method: its data and mask are what is kept
  std::unique_ptr<Array> photons = nullptr;  // held out, over (1 - share)/share so that they are on the scale of what
                                             // is kept; null: the held-out voxels are in problem.measured
  std::unique_ptr<Array> kept = nullptr;     // mask of problem; null: its own
  std::unique_ptr<Array> judged = nullptr;   // mask of what is held out; null: that of problem
  double scale = 1;                          // (1 - share)/share
};

// `y` is what `problem` measures and lies at the origin: it holds what is kept afterwards. `loaded` is what of it has
// been measured; the rest, if any, mirrors it. Memory: 4 bytes per voxel of y with photons, 8 with voxels.
absl::StatusOr<HeldOut> HoldOutPhotons(const Problem& problem, const Shape3& loaded, Array& y);
absl::StatusOr<HeldOut> HoldOutVoxels(const Problem& problem, const Shape3& loaded);

}  // namespace deconvoy::worker

// Aberrations of a pupil that explain an image better, by steps of the scoring method.
//
// With X the convolution with the estimate, J_k the slope of the PSF h(c) along the strength c_k of mode k
// (worker/psf/pupil.h), b background and m mask, the likelihood of the image has in c
//
//   the gradient     g_k = <J_k, X* m (y / (X h + b) - 1)>
//   the information  F_jk = <J_j, X* m (X J_k) / (X h + b)>
//
//   d = (F + 0.001 diag F)^-1 g, shortened to 0.05 waves;   c <- c + d + beta v
//
// v is the last change of c, and beta = n / (n + 3), at most 0.8, with n the steps since d turned against v, mode by
// mode: the estimate follows each h a part of the way, so that modes which it can make up for move slowly. Strengths
// stay within 0.3 waves of those that the optics have. J and F are kept until a strength has moved by 0.01 waves, or
// for five steps.
//
// Modes 1 to 4 are none of these: tilt and defocus move the PSF, which the image cannot tell from a moved specimen.
//
// Pupils of microscopes:
// B. M. Hanser et al., J. Microsc. 216 (2004) 32.
#pragma once

#include <absl/status/status.h>

#include <cstdint>
#include <span>
#include <vector>

#include "worker/methods/method.h"
#include "worker/psf/pupil.h"

namespace deconvoy::worker {

// Modes from 5 on, to and including `last`.
std::vector<int> FittedModes(int64_t last);

class PupilFit {
 public:
  // What the PSF of the moment makes of the image.
  struct View {
    const Problem& problem;         // its OTF is that of `PsfNow`
    const Array& x;                 // the estimate, over the domain
    const Otf& image;               // X, so that X* of something comes to lie on the PSF's box at the domain's origin
    std::span<const float> excess;  // X* m (y / (X h + b) - 1) on that box
  };

  // For a PSF of such a box, from the strengths that the optics have.
  PupilFit(const KnownOptics& optics, const Shape3& box, std::vector<int> modes);

  std::vector<float> PsfNow() const { return model_.At(waves_); }
  std::vector<PupilMode> modes() const;

  // One step. Transforms: none, or 6 for each mode where F is computed anew. Memory: 4 bytes per mode and voxel of the
  // PSF, and 8 per voxel of it; 4 per measured voxel. Errors: those of Ops.
  absl::Status Step(const View& view);

 private:
  bool IsStale() const;
  absl::Status Renew(const View& view);
  absl::StatusOr<std::vector<double>> InformationOf(const View& view, size_t mode) const;
  void Move(std::vector<double> step);

  const PupilModel model_;
  const Shape3 box_;
  const std::vector<double> given_;
  std::vector<double> waves_, change_;
  std::vector<int> age_;  // steps in the same direction

  // Of the strengths `known_at_`; empty before the first step.
  std::vector<double> known_at_;
  std::vector<std::vector<float>> slopes_;
  std::vector<double> information_;  // row by row
  int steps_since_ = 0;
};

}  // namespace deconvoy::worker

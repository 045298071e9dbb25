// The PSF of an image, from the image itself and a guess.
//
// Richardson-Lucy steps in the estimate x and in the PSF h take turns, in rounds:
//
//   x <- p / w . H*( m y / max(H p + b, e mean y) ),   w = H* m          several steps, as rl with heavy-ball
//   h <- S[ h . X*( m y / max(H x + b, e mean y) ) / X* m ] / sum        several steps, on the support
//
// or, with modes of a pupil, h is always the PSF of the problem's optics, and its steps are those of pupil_fit.h.
// X is the convolution with x, (X* q)(d) = sum over r of x(r) q(r + d); S is the mean over the mirror images that the
// symmetry names. x goes on from round to round; it starts from the mean of y. The support is where the guess, and each
// of its mirror images, is above a share of the guess's peak. h stays non-negative, of sum 1, and 0 off the support.
//
// Why it finds anything: image and PSF are not told apart by the likelihood, of which a sharp point and x = y is a
// maximum, too. But from a PSF that is too wide, whose x cannot explain the sharpest edges of y, h becomes narrower
// only until what is left is noise. From one that is too narrow there is nothing left to explain: it stays.
//
// D. A. Fish et al., J. Opt. Soc. Am. A 12 (1995) 58; G. R. Ayers and J. C. Dainty, Opt. Lett. 13 (1988) 547.
#pragma once

#include <absl/status/statusor.h>

#include <cstdint>
#include <vector>

#include "worker/methods/method.h"
#include "worker/psf/prepare.h"

namespace deconvoy::worker {

// Axes along which the PSF is known to be its own mirror image about its centre.
struct PsfSymmetry {
  bool axial = false;
  bool lateral = false;  // y and x
};

struct PsfEstimationOptions {
  int64_t rounds = 1;
  int64_t image_steps = 1;  // in each round
  int64_t psf_steps = 1;    // in each round
  PsfSymmetry symmetry = {};
  double support = 0;  // share of the guess's peak, in [0, 1)
  // Zernike modes of the problem's optics; none: h is free.
  std::vector<int> pupil_modes = {};
};

// The PSF that explains `problem` better than `guess`, on the guess's box; the problem's own OTF is not used. Steps, of
// x and of h, are the monitor's iterations; with the last of each round come the objective, the I-divergence of y from
// H x + b before that step, and its residual, under the number of the round. Memory: per padded voxel OTFs 8, spectrum
// 4 and their gaps 0.3, x 4, and 4 more for x on its way to an OTF, where x_previous and m are before and after; per
// measured voxel y 4; per voxel of the guess 20. Transforms: 2 for w and 4 a step in x; 3 for X and its weights, and 5
// a step in h. Errors: those of Ops and the monitor; BAD_PSF where nothing is left of h. REQUIRES: the guess's box fits
// the domain; mean y above 0; with modes, optics, and a guess of odd extents about its centre, of which nothing but
// these counts.
absl::StatusOr<EstimatedPsf> EstimatePsfOf(Problem problem, PreparedPsf guess, const PsfEstimationOptions& options,
                                           Monitor& monitor);

}  // namespace deconvoy::worker

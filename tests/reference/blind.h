// Blind Richardson-Lucy as plainly as it can be written, on one circle.
#pragma once

#include <vector>

#include "tests/reference/reference.h"

namespace deconvoy::reference {

struct BlindOptions {
  int rounds = 1;
  int image_steps = 1;   // in each round
  int psf_steps = 1;     // in each round
  bool axial = false;    // h is its own mirror image along z
  bool lateral = false;  // and along y and x
  double support = 0;    // h is 0 where the guess, or a mirror image of it, is at most this share of its peak
  double background = 0;
  double mean = 0;      // of y, for the floors and the start
  double rounding = 0;  // of every convolution, of x and of h
};

struct BlindResult {
  Psf psf;
  std::vector<double> objective;  // of each round, at the point from which its last step in h was taken
};

// In rounds: x by Richardson-Lucy with heavy-ball from the x of the round before, at first the mean; then
// h <- h . (X* q / X* m), made symmetric and of sum 1, with (X* q)(d) = sum over r of x(r) q(r + d) and
// q = m y / max(H x + b, 1e-6 mean). REQUIRES: h's box fits the circle.
BlindResult BlindRichardsonLucy(const Volume& y, const Volume& m, const Psf& guess, const BlindOptions& options);

}  // namespace deconvoy::reference

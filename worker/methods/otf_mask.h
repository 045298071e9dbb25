// Where a microscope transmits: a mask of frequencies and the window over it, after the OTF-masked Wiener back
// projector of X. Ruan et al., Nature Methods 21 (2024) 2342 (PetaKit5D).
//
// All arrays are half spectra of a domain in the order of Ops::ReadMagnitude. k stands for the indices of a frequency,
// counted as -n/2 to (n - 1)/2 along z and y and as 0 to x/2 along x.
//
//   t      the largest value such that the |h^| of at least t make up 0.9 of the sum over the half spectrum; at least
//          2.5e-3 |h^(0)|
//   M0     |h^| >= t, up to rounding
//   M1     M0, smoothed: where at least 14 of the 27 neighbouring frequencies, itself among them, are in M0; the
//          spectrum repeats itself
//   M      the frequencies of M1 whose way from zero frequency lies in M1: a star. The way goes from k to the frequency
//          nearest (1 - 1/n) k, where n is the largest of its three indices in samples, and so on. Zero frequency
//          always belongs to it.
//   window(k) = 1 where r < 0.8, cos^2(pi/2 (r - 0.8)/0.2) on the rest of M, 0 outside M
//   r(k)   how far out k is in M: the inverse of the smallest of s = 1, 65/64, ..., 80/64 for which the frequency
//          nearest s k is not in M, or 0 where all are. Frequencies beyond the sampled ones count as in M: the end of
//          the spectrum is no edge. Where the half spectrum holds both k and -k, both get the smaller window.
//
// PetaKit5D opens and closes its mask with spheres and takes its convex hull; a star keeps what is not convex, such as
// the missing cone.
#pragma once

#include <span>
#include <vector>

#include "proto/contract/geometry.h"

namespace deconvoy::worker {

// The window of the frequencies of `magnitude`, |h^| on the domain. REQUIRES: its first value is positive.
std::vector<float> OtfMaskWindow(const Shape3& domain, std::span<const float> magnitude);

}  // namespace deconvoy::worker

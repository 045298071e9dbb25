// The filter that makes the wavelets of Battle and Lemarie.
#pragma once

namespace deconvoy::worker {

// H(w) for splines of degree 1, 3 or 5, real and even; |H(w)|^2 + |H(w + pi)|^2 = 2. S. Mallat, A Wavelet Tour of
// Signal Processing (1999), 7.2.
double ScalingFilter(int degree, double w);

}  // namespace deconvoy::worker

#include "tests/reference/gradient_consensus.h"

#include <algorithm>
#include <cmath>

namespace deconvoy::reference {
namespace {

// Ri for one half of the photons.
Volume RatioOf(const Volume& half, const Volume& model, const Volume& m, const Volume& w, const Psf& psf) {
  Volume quotient(half.nz, half.ny, half.nx);
  for (size_t i = 0; i < half.values.size(); ++i) {
    quotient.values[i] = m.values[i] * half.values[i] / (0.5 * model.values[i]);
  }
  Volume ratio = Correlate(quotient, psf);
  for (size_t i = 0; i < ratio.values.size(); ++i) {
    ratio.values[i] = w.values[i] < 0.01 ? 1 : ratio.values[i] / w.values[i];
  }
  return ratio;
}

}  // namespace

ConsensusResult GradientConsensus(const Volume& y1, const Volume& y2, const Volume& m, const Psf& psf, const Volume& x0,
                                  double background, double mean, int iterations) {
  const Volume w = Correlate(m, psf);
  ConsensusResult result{.x = x0};
  Volume& x = result.x;
  for (int k = 0; k < iterations; ++k) {
    Volume model = Convolve(x, psf);
    for (double& v : model.values) v = std::max(v + background, 1e-6 * mean);
    const Volume r1 = RatioOf(y1, model, m, w, psf), r2 = RatioOf(y2, model, m, w, psf);
    Volume product = r1;
    for (size_t i = 0; i < product.values.size(); ++i) {
      product.values[i] = (r1.values[i] - 1) * (r2.values[i] - 1);
    }
    const Volume c = Correlate(Convolve(product, psf), psf);
    double largest = 0;
    for (const double v : c.values) largest = std::max(largest, std::abs(v));
    for (size_t i = 0; i < x.values.size(); ++i) {
      const double factor = (r1.values[i] + r2.values[i]) / 2;
      if (factor == 1) continue;
      result.closest = std::min(result.closest, std::abs(c.values[i]) / largest);
      if (c.values[i] >= 0) x.values[i] *= factor;
      result.kept += c.values[i] < 0 ? 1 : 0;
    }
  }
  return result;
}

}  // namespace deconvoy::reference

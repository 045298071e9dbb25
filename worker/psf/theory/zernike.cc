#include "worker/psf/theory/zernike.h"

#include <cmath>

namespace deconvoy::worker {

ZernikeMode ModeOf(int noll) {
  int n = 0;
  while (noll > (n + 1) * (n + 2) / 2) ++n;
  const int place = noll - n * (n + 1) / 2;  // among those of this n, from 1
  const int m = n % 2 == 0 ? place / 2 * 2 : (place - 1) / 2 * 2 + 1;
  return {.radial = n, .angular = m, .sine = m > 0 && noll % 2 == 1};
}

double RadialPart(const ZernikeMode& mode, double rho) {
  const int n = mode.radial, m = mode.angular, terms = (n - m) / 2;
  double factor = 1;  // of rho^n: n! / (((n + m) / 2)! ((n - m) / 2)!)
  for (int i = 1; i <= terms; ++i) factor *= static_cast<double>((n + m) / 2 + i) / i;
  double sum = 0;
  for (int k = 0; k <= terms; ++k) {
    sum += factor * std::pow(rho, n - 2 * k);
    factor *= -static_cast<double>(((n + m) / 2 - k) * (terms - k)) / ((n - k) * (k + 1.0));
  }
  return std::sqrt((m == 0 ? 1.0 : 2.0) * (n + 1)) * sum;
}

double Zernike(int noll, double rho, double theta) {
  const ZernikeMode mode = ModeOf(noll);
  const double angle = mode.angular * theta;
  return RadialPart(mode, rho) * (mode.sine ? std::sin(angle) : std::cos(angle));
}

}  // namespace deconvoy::worker

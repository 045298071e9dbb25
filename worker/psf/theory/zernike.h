// Zernike modes over the unit disc, numbered and scaled after R. J. Noll, JOSA 66 (1976) 207: of root mean square 1,
// but for the constant mode 1. Even numbers go with cos(m theta), odd ones with sin(m theta).
//
//   Z = sqrt(n + 1) R_n^0(rho),    sqrt(2 (n + 1)) R_n^m(rho) cos(m theta)  or  ... sin(m theta),  m > 0
//
// Pure functions.
#pragma once

namespace deconvoy::worker {

struct ZernikeMode {
  int radial = 0;   // n
  int angular = 0;  // m, 0 to n
  bool sine = false;

  bool round() const { return angular == 0; }
};

// REQUIRES: noll >= 1.
ZernikeMode ModeOf(int noll);

// The mode without its cosine or sine, at the radius rho in [0, 1].
double RadialPart(const ZernikeMode& mode, double rho);

// The mode at a place of the disc, theta in radians from x towards y.
double Zernike(int noll, double rho, double theta);

}  // namespace deconvoy::worker

// Gauss-Legendre integration over the pupil's radius.
#pragma once

#include <vector>

#include "worker/psf/theory/optics.h"

namespace deconvoy::worker {

// The integral of f over an interval is the sum of weights f(nodes).
struct Quadrature {
  std::vector<double> nodes;
  std::vector<double> weights;
};

// Over [begin, end] with `count` nodes: exact for polynomials of degree 2 count - 1. REQUIRES: count >= 1.
Quadrature GaussLegendre(double begin, double end, int count);

// Nodes enough for points at most `radius_um` off the axis and stage positions up to `stage_um`: half a node for each
// radian of phase, and 40 more.
int PupilNodes(const Optics& optics, double radius_um, double stage_um);

// Over the open pupil with so many nodes.
Quadrature PupilQuadrature(const Optics& optics, double radius_um, double stage_um);

}  // namespace deconvoy::worker

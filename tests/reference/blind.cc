#include "tests/reference/blind.h"

#include <algorithm>
#include <utility>

namespace deconvoy::reference {
namespace {

// (X* q)(d) for every d of the PSF's box.
Volume CorrelateWithImage(const Volume& x, const Volume& q, const Psf& psf) {
  Volume result(psf.h.nz, psf.h.ny, psf.h.nx);
  for (int64_t uz = 0; uz < psf.h.nz; ++uz)
    for (int64_t uy = 0; uy < psf.h.ny; ++uy)
      for (int64_t ux = 0; ux < psf.h.nx; ++ux) {
        double sum = 0;
        for (int64_t z = 0; z < x.nz; ++z)
          for (int64_t y = 0; y < x.ny; ++y)
            for (int64_t r = 0; r < x.nx; ++r)
              sum += x.at(z, y, r) * q.wrapped(z + uz - psf.cz, y + uy - psf.cy, r + ux - psf.cx);
        result.at(uz, uy, ux) = sum;
      }
  return result;
}

// h seen in a mirror through its centre, across one axis; 0 from outside its box.
Volume Mirrored(const Psf& psf, int axis) {
  Volume mirrored(psf.h.nz, psf.h.ny, psf.h.nx);
  for (int64_t z = 0; z < psf.h.nz; ++z)
    for (int64_t y = 0; y < psf.h.ny; ++y)
      for (int64_t x = 0; x < psf.h.nx; ++x) {
        const int64_t fz = axis == 0 ? 2 * psf.cz - z : z, fy = axis == 1 ? 2 * psf.cy - y : y,
                      fx = axis == 2 ? 2 * psf.cx - x : x;
        const bool inside = fz >= 0 && fz < psf.h.nz && fy >= 0 && fy < psf.h.ny && fx >= 0 && fx < psf.h.nx;
        mirrored.at(z, y, x) = inside ? psf.h.at(fz, fy, fx) : 0;
      }
  return mirrored;
}

bool Mirrors(const BlindOptions& options, int axis) {
  return axis == 0 ? options.axial : options.lateral;
}

void MakeSymmetric(const BlindOptions& options, Psf& psf) {
  for (int axis = 0; axis < 3; ++axis) {
    if (!Mirrors(options, axis)) continue;
    const Volume mirrored = Mirrored(psf, axis);
    for (size_t i = 0; i < psf.h.values.size(); ++i) psf.h.values[i] = (psf.h.values[i] + mirrored.values[i]) / 2;
  }
}

void KeepSupport(const BlindOptions& options, Psf& psf) {
  const double least = options.support * *std::max_element(psf.h.values.begin(), psf.h.values.end());
  for (double& value : psf.h.values) {
    if (value <= least) value = 0;
  }
  for (int axis = 0; axis < 3; ++axis) {
    if (!Mirrors(options, axis)) continue;
    const Volume mirrored = Mirrored(psf, axis);
    for (size_t i = 0; i < psf.h.values.size(); ++i) {
      if (mirrored.values[i] == 0) psf.h.values[i] = 0;
    }
  }
}

void MakeSumOne(Psf& psf) {
  double sum = 0;
  for (const double value : psf.h.values) sum += value;
  for (double& value : psf.h.values) value /= sum;
}

}  // namespace

BlindResult BlindRichardsonLucy(const Volume& y, const Volume& m, const Psf& guess, const BlindOptions& options) {
  Rounding rounding(options.rounding);
  BlindResult result{guess, {}};
  Psf& psf = result.psf;
  KeepSupport(options, psf);
  MakeSymmetric(options, psf);
  MakeSumOne(psf);
  Volume x(y.nz, y.ny, y.nx, options.mean);
  for (int round = 0; round < options.rounds; ++round) {
    x = RichardsonLucy(y, m, psf, x,
                       {.iterations = options.image_steps,
                        .acceleration = Acceleration::kHeavyBall,
                        .background = options.background,
                        .mean = options.mean,
                        .rounding = options.rounding});
    const Volume light = rounding.Convolved(CorrelateWithImage(x, m, psf));
    const double most = *std::max_element(light.values.begin(), light.values.end());
    for (int step = 1; step <= options.psf_steps; ++step) {
      Volume q = rounding.Convolved(Convolve(x, psf));
      if (step == options.psf_steps) result.objective.push_back(IDivergence(y, m, q, options.background));
      for (size_t i = 0; i < q.values.size(); ++i) {
        const double model = std::max(q.values[i] + options.background, 1e-6 * options.mean);
        q.values[i] = m.values[i] * y.values[i] / model;
      }
      const Volume back = rounding.Convolved(CorrelateWithImage(x, q, psf));
      for (size_t i = 0; i < psf.h.values.size(); ++i) {
        psf.h.values[i] *= light.values[i] > 1e-6 * most ? back.values[i] / light.values[i] : 0;
      }
      MakeSymmetric(options, psf);
      MakeSumOne(psf);
      psf.h = rounding.Stored(std::move(psf.h));
    }
  }
  return result;
}

}  // namespace deconvoy::reference

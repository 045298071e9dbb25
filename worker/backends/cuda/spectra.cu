// Half spectra and OTFs.
#include "worker/backends/cuda/kernels.h"

namespace deconvoy::worker::cuda {
namespace {

// Columns of a grid. They are visited as boxes of z, part and place in the part: with whole chunks of them as rows a
// device would have fewer blocks than processors.
constexpr int64_t kPart = 512;

struct SpectrumPart {
  Grid grid;
  Columns columns;
  DECONVOY_DEVICE bool holds(int64_t part, int64_t x) const { return part * kPart + x < columns.count; }
  DECONVOY_DEVICE int64_t index(int64_t z, int64_t part, int64_t x) const {
    return z * grid.plane() + columns.first + part * kPart + x;
  }
  DECONVOY_DEVICE Complex32& at(int64_t i) const { return reinterpret_cast<Complex32*>(grid.data)[i]; }
};

DECONVOY_DEVICE Complex32 Times(const Complex32& a, const Complex32& b) {
  return {a.re * b.re - a.im * b.im, a.re * b.im + a.im * b.re};
}

struct MultiplyVisit {
  SpectrumPart part;
  OtfField otf;
  float sign;
  DECONVOY_DEVICE void operator()(int64_t z, int64_t row, int64_t x) const {
    if (!part.holds(row, x)) return;
    const int64_t i = part.index(z, row, x);
    const Complex32 v = part.at(i);
    if (otf.real != nullptr) {
      const float h = otf.real[i];
      part.at(i) = {v.re * h, v.im * h};
    } else {
      const Complex32 h = otf.complex[i];
      part.at(i) = Times(v, {h.re, sign * h.im});
    }
  }
};

struct KeepVisit {
  SpectrumPart part;
  OtfField otf;
  float scale;
  DECONVOY_DEVICE void operator()(int64_t z, int64_t row, int64_t x) const {
    if (!part.holds(row, x)) return;
    const int64_t i = part.index(z, row, x);
    const Complex32 v = part.at(i);
    if (otf.real != nullptr) {
      otf.real[i] = scale * v.re;
    } else {
      otf.complex[i] = {scale * v.re, scale * v.im};
    }
  }
};

struct SolveVisit {
  SpectrumPart x, q;
  OtfField otf;
  const float* inverse;
  float voxels, weight;
  DECONVOY_DEVICE void operator()(int64_t z, int64_t row, int64_t place) const {
    if (!x.holds(row, place)) return;
    const int64_t i = x.index(z, row, place);
    const Complex32 h = otf.at(i), of_x = x.at(i), of_q = q.at(i);
    const float a = voxels * h.re, b = voxels * h.im, g = inverse[i];
    const Complex32 solved = {g * (weight * of_x.re + (a * of_q.re + b * of_q.im)),
                              g * (weight * of_x.im + (a * of_q.im - b * of_q.re))};
    x.at(i) = solved;
    q.at(i) = Times(solved, {a, b});
  }
};

struct MagnitudeVisit {
  OtfField otf;
  float unit;
  float* out;
  DECONVOY_DEVICE void operator()(int64_t i) const {
    const Complex32 h = otf.at(i);
    const float re = unit * h.re, im = unit * h.im;
    out[i] = sqrtf(re * re + im * im);
  }
};

struct FilterVisit {
  OtfField otf;
  FilterNumbers filter;
  OtfField out;
  DECONVOY_DEVICE void operator()(int64_t i) const {
    const Complex32 h = otf.at(i);
    const float re = filter.unit * h.re, im = filter.unit * h.im;
    const float power = re * re + im * im;
    const float denominator = power + filter.alpha + (filter.penalty != nullptr ? filter.penalty[i] : 0.0F);
    const float factor = filter.scale * (filter.gain != nullptr ? filter.gain[i] : 1.0F) / denominator;
    if (out.real != nullptr) {
      out.real[i] = factor * h.re;
    } else {
      out.complex[i] = {factor * h.re, factor * h.im};
    }
  }
};

Shape3 PartsOf(const SpectrumPart& of) {
  const int64_t count = of.columns.count;
  return {of.grid.domain.z, (count + kPart - 1) / kPart, count < kPart ? count : kPart};
}

}  // namespace

int RunMultiply(const LaunchPlace& place, const OtfField& otf, bool conjugate, const Grid& grid,
                const Columns& columns) {
  const SpectrumPart part{grid, columns};
  return ForEach(place, PartsOf(part), MultiplyVisit{part, otf, conjugate ? -1.0F : 1.0F});
}

int RunKeepOtf(const LaunchPlace& place, float scale, const Grid& grid, const Columns& columns, const OtfField& otf) {
  const SpectrumPart part{grid, columns};
  return ForEach(place, PartsOf(part), KeepVisit{part, otf, scale});
}

int RunSolve(const LaunchPlace& place, const OtfField& otf, const float* inverse, float weight, const Grid& x,
             const Grid& q, const Columns& columns) {
  const auto voxels = static_cast<float>(x.domain.voxels());
  const SpectrumPart of_x{x, columns}, of_q{q, columns};
  return ForEach(place, PartsOf(of_x), SolveVisit{of_x, of_q, otf, inverse, voxels, weight});
}

int RunMagnitude(const LaunchPlace& place, const OtfField& otf, float unit, int64_t n, float* out) {
  return ForEachOf(place, n, MagnitudeVisit{otf, unit, out});
}

int RunFilter(const LaunchPlace& place, const OtfField& otf, const FilterNumbers& filter, int64_t n,
              const OtfField& out) {
  return ForEachOf(place, n, FilterVisit{otf, filter, out});
}

}  // namespace deconvoy::worker::cuda

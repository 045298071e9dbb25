// The mathematics of docs/methods as plainly as it can be written: double precision, direct sums, no transforms, and
// not a line in common with the worker. Slow, so for small volumes only.
#pragma once

#include <cstdint>
#include <functional>
#include <random>
#include <vector>

namespace deconvoy::reference {

// A volume in z,y,x order.
struct Volume {
  int64_t nz = 0, ny = 0, nx = 0;
  std::vector<double> values;

  Volume() = default;
  Volume(int64_t z, int64_t y, int64_t x, double value = 0);
  int64_t size() const { return nz * ny * nx; }
  double& at(int64_t z, int64_t y, int64_t x) { return values[static_cast<size_t>((z * ny + y) * nx + x)]; }
  double at(int64_t z, int64_t y, int64_t x) const { return values[static_cast<size_t>((z * ny + y) * nx + x)]; }
  // Of indices that may lie outside: the volume repeats itself.
  double wrapped(int64_t z, int64_t y, int64_t x) const;
};

// A point spread function and the voxel that is its origin.
struct Psf {
  Volume h;
  int64_t cz = 0, cy = 0, cx = 0;
};

// (H x)(r) = sum over u of h(u) x(r - (u - c)), and its adjoint (H* x)(r) = sum over u of h(u) x(r + (u - c));
// circular.
Volume Convolve(const Volume& x, const Psf& psf);
Volume Correlate(const Volume& x, const Psf& psf);

// The sum over voxels with m = 1 of (v + b) - y + y ln(y / (v + b)).
double IDivergence(const Volume& y, const Volume& m, const Volume& v, double background);

// `inner` in the first voxels of a larger volume of zeros, and back.
Volume Padded(const Volume& inner, int64_t nz, int64_t ny, int64_t nx);
Volume Cropped(const Volume& outer, int64_t nz, int64_t ny, int64_t nx);
// `inner` at (z, y, x) of a larger volume, its surroundings its own reflection at its faces (d c b a | a b c d | d c b
// a).
Volume Reflected(const Volume& inner, int64_t nz, int64_t ny, int64_t nx, int64_t z, int64_t y, int64_t x);

// What single precision would do, with the same errors each time; 0: nothing.
class Rounding {
 public:
  explicit Rounding(double most) : most_(most) {}
  // Of a convolution: to every voxel an error of up to so much of the largest value.
  Volume Convolved(Volume v);
  // Of an estimate: to every voxel one of half as much of its own value.
  Volume Stored(Volume v);

 private:
  double most_;
  std::mt19937_64 random_{1};
};

enum class Acceleration { kNone, kHeavyBall, kBiggsAndrews };

struct RichardsonLucyOptions {
  int iterations = 20;
  Acceleration acceleration = Acceleration::kNone;
  double background = 0;
  double mean = 0;  // of y, for the floors
  // What the quotient is taken back with, as a linear map on the circle; empty: H*. Then the last `matched_steps`
  // iterations are plain ones with H*, and the others keep x at or above mean / 1000 where they change it.
  std::function<Volume(const Volume&)> back_projector = {};
  int matched_steps = 0;
  double rounding = 0;  // of every convolution, and of x
  // R': w is multiplied by max(1 + strength R', 0.1) in the denominator; empty: none.
  std::function<Volume(const Volume& p)> roughness = {};
  double strength = 0;
  // After each iteration: its number and the I-divergence at the point that it was taken from.
  std::function<void(int, double)> watch = {};
};

// x <- p / w B( m y / max(Hp + b, 1e-6 mean) ), w = B m, no update where w < 0.01, from x0; everything on one circle.
// With a back projector other than H*: x <- p (1 + B(...) - w) where w < 1; y and b both larger by what b lacks to
// 0.2 mean.
Volume RichardsonLucy(const Volume& y, const Volume& m, const Psf& psf, const Volume& x0,
                      const RichardsonLucyOptions& options);

// D*(Dx / max(|Dx|, floor)) and 4 D*D u / u, u = sqrt(max(x, floor)): D one-sided differences times a factor per axis,
// 0 at the end or going round.
struct Slopes {
  double z = 1, y = 1, x = 1;
  bool periodic = false;
};
Volume TotalVariationSlope(const Volume& x, const Slopes& slopes, double floor);
Volume GoodRoughnessSlope(const Volume& x, const Slopes& slopes, double floor);

// H*(m y) / w, w = H* m, where w >= 0.01, else `mean`.
Volume Continued(const Volume& y, const Volume& m, const Psf& psf, double mean);

// norm(a - b) / norm(b); infinite when anything is not a number.
double RelativeError(const Volume& a, const Volume& b);

}  // namespace deconvoy::reference

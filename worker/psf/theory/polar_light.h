// Light in a plane around the axis, on circles: what is the same in all directions, and what is not.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "worker/psf/theory/focal_light.h"

namespace deconvoy::worker {

// Intensities at r = 0, step, 2 step, ... in `directions` directions each, at the angles 2 pi k / directions from x
// towards y. One direction: the light is the same in all. Otherwise their number is divisible by 8.
struct PolarLight {
  size_t directions = 1;
  std::vector<double> values;  // those of one radius beside one another

  size_t radii() const { return values.size() / directions; }
  std::span<const double> circle(size_t r) const { return std::span(values).subspan(r * directions, directions); }
};

// In as many directions as its cosine needs.
PolarLight ToPolar(const RadialLight& light);

// The product at every place, over the radii that both have and in the directions of the one with more; the other is
// interpolated.
PolarLight Product(const PolarLight& a, const PolarLight& b);

// Intensities between the radii and directions: cubic (Catmull and Rom) along both, 0 beyond. `place` is the radius in
// steps, `angle` in radians.
double Interpolate(const PolarLight& light, double place, double angle);

// The mean over a disc about each place, with weights that serve every plane. Threads may share one.
class Disc {
 public:
  // `radius` in steps, above 0. `count` radii get a mean.
  Disc(double radius, size_t count);

  // How many more radii than means are needed.
  static size_t Margin(double radius);
  // Bytes of one.
  static double Bytes(double radius, size_t count);

  // REQUIRES: light of at least count + Margin(radius) radii, in which nothing changes faster with the direction than
  // directions / 4 times.
  PolarLight Mean(const PolarLight& light) const;

 private:
  // A place of the disc about (r, 0), and its mirror image.
  struct Place {
    float radius;
    float cosine;  // of its direction
  };

  std::vector<double> RoundMean(std::span<const double> values) const;

  const size_t count_;
  size_t directions_ = 0;        // of each ring
  std::vector<Place> places_;    // of every r, ring and direction
  std::vector<double> weights_;  // of each ring
};

}  // namespace deconvoy::worker

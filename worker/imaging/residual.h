// How well a result explains its image, gathered plane by plane.
//
//   r = (y - M) / sqrt(max(M, e)),   M = b + H x
//
// y is the measured light and M the model of it, both in photons and with the read noise's variance. Where y is a
// Poisson variable of mean M, r has the mean 0 and the variance 1, and its neighbours do not know of one another. e
// keeps voxels without light from counting without bounds.
//
// A faint structure is a block of 8 x 8 voxels in a plane, its corners at multiples of 8, whose inner 4 x 4 voxels are
// brighter on average than its other ones by 6 standard deviations of that difference (the noise is that between
// neighbours along x), and whose mean is above b by at most 1/20 of the brightest voxel of the frame. Its light is 16
// of those differences. What lies out of focus is in M, though not in the result. Blocks with a voxel that was not
// measured are none.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace deconvoy::worker {

// Of faint structures.
inline constexpr int64_t kFaintBlock = 8, kFaintRim = 2;     // voxels
inline constexpr double kFaintInner = 16, kFaintOuter = 48;  // voxels of a block
inline constexpr double kFaintLight = 0.05;                  // of the brightest voxel, above the background
inline constexpr double kFaintSignificance = 6;              // standard deviations

struct ResidualSums {
  uint64_t voxels = 0;
  double sum = 0;      // of r
  double squares = 0;  // of r^2
  // Pairs of neighbours along an axis of which both count, and the sum of their r r'.
  struct Pairs {
    uint64_t count = 0;
    double products = 0;

    Pairs& operator+=(const Pairs& other);
  };
  Pairs x, y, z;
  uint64_t faint_voxels = 0;
  double faint_light = 0;  // of y, photons
  double faint_model = 0;  // of M, likewise

  ResidualSums& operator+=(const ResidualSums& other);
};

struct ResidualScale {
  double floor = 0;       // e > 0, photons
  double background = 0;  // b, photons
  double brightest = 0;   // of y in the frame, photons
};

// e of a frame whose y has this mean.
double ResidualFloor(double mean);

// A plane, or rows of one from a multiple of 8 on.
struct Compared {
  std::span<const float> y, model;
  std::span<const float> m = {};  // 0: not measured; empty for none
};

// r of a plane of `columns` voxels a row, and its share in the sums but for pairs along z; in r and its sums voxels
// count whatever their m. REQUIRES: all and r of one size, a multiple of `columns`.
void AddResidual(const ResidualScale& scale, const Compared& plane, int64_t columns, std::span<float> r,
                 ResidualSums& sums);

// The pairs of each value of r with that at the same place of `before`. REQUIRES: one size.
ResidualSums::Pairs PairUp(std::span<const float> r, std::span<const float> before);

}  // namespace deconvoy::worker

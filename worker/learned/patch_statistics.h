// What images look like to a model, so that others than those it was trained on are known as such.
//
// An image is looked at in patches of 8 x 16 x 16 voxels side by side. The figures of a patch, of normalised values u,
// with l(v) = ln(v + 0.001):
//
//   mean of u;  l of the deviation of u;  its skewness;  l of the mean absolute first differences along z, y and x;
//   l of the mean absolute second differences along y and x, which are mostly noise;  correlation of neighbours along x
//
// A patch is as strange as the root of the mean square of (figure - mean) / deviation, over the threshold that 99 of
// 100 patches of the training stay below.
//
// Pure functions; threads may share everything.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "proto/contract/geometry.h"
#include "worker/learned/network.h"

namespace deconvoy::worker::learned {

inline constexpr Shape3 kStatisticsPatch{8, 16, 16};
using Figures = std::array<double, 9>;

struct PatchStatistics {
  Figures mean = {};
  Figures deviation = {};
  double threshold = 0;  // > 0
};

// Of all whole patches of an image; none where it is smaller than one.
std::vector<Figures> FiguresOfPatches(std::span<const float> values, const Shape3& shape, const Scale& scale);

// Of the patches of a training. REQUIRES: at least two.
PatchStatistics Summarise(std::span<const Figures> patches);

// Above 1 for one of 100 patches like those of the training.
double Strangeness(const Figures& patch, const PatchStatistics& statistics);

}  // namespace deconvoy::worker::learned

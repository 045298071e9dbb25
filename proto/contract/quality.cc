#include "proto/contract/quality.h"

#include <cstdint>

namespace deconvoy {

Correlation CorrelationOf(const v1::QualityStatistics& quality) {
  const auto voxels = static_cast<double>(quality.voxels());
  const double mean = quality.residual_sum() / voxels;
  const double variance = quality.residual_squares() / voxels - mean * mean;
  const auto along = [&](uint64_t pairs, double products) {
    if (pairs == 0 || !(variance > 0)) return 0.0;
    return (products / static_cast<double>(pairs) - mean * mean) / variance;
  };
  return {.x = along(quality.neighbours(), quality.neighbour_products()),
          .y = along(quality.neighbours_y(), quality.neighbour_products_y()),
          .z = along(quality.neighbours_z(), quality.neighbour_products_z())};
}

}  // namespace deconvoy

#include "proto/contract/tile_statistics.h"

#include <algorithm>

namespace deconvoy {
namespace {

void AddQuality(const v1::QualityStatistics& added, v1::QualityStatistics& total) {
  total.set_voxels(total.voxels() + added.voxels());
  total.set_residual_sum(total.residual_sum() + added.residual_sum());
  total.set_residual_squares(total.residual_squares() + added.residual_squares());
  total.set_neighbours(total.neighbours() + added.neighbours());
  total.set_neighbour_products(total.neighbour_products() + added.neighbour_products());
  total.set_neighbours_y(total.neighbours_y() + added.neighbours_y());
  total.set_neighbour_products_y(total.neighbour_products_y() + added.neighbour_products_y());
  total.set_neighbours_z(total.neighbours_z() + added.neighbours_z());
  total.set_neighbour_products_z(total.neighbour_products_z() + added.neighbour_products_z());
  total.set_flat_voxels(total.flat_voxels() + added.flat_voxels());
  total.set_flat_squares_before(total.flat_squares_before() + added.flat_squares_before());
  total.set_flat_squares_after(total.flat_squares_after() + added.flat_squares_after());
  total.set_faint_voxels(total.faint_voxels() + added.faint_voxels());
  total.set_faint_light_before(total.faint_light_before() + added.faint_light_before());
  total.set_faint_light_after(total.faint_light_after() + added.faint_light_after());
  total.set_ring_voxels(total.ring_voxels() + added.ring_voxels());
}

// What is relative to a tile's own copies has no sum: the largest stands for all.
void AddValue(const v1::ObjectiveValue& added, v1::ObjectiveValue& total) {
  total.set_value(total.value() + added.value());
  total.set_residual_squares(total.residual_squares() + added.residual_squares());
  total.set_data_squares(total.data_squares() + added.data_squares());
  total.set_primal_squares(std::max(total.primal_squares(), added.primal_squares()));
  total.set_dual_squares(std::max(total.dual_squares(), added.dual_squares()));
}

}  // namespace

void AddTileStatistics(const v1::ResultStatistics& added, bool first, v1::ResultStatistics& total) {
  total.set_minimum(first ? added.minimum() : std::min(total.minimum(), added.minimum()));
  total.set_maximum(first ? added.maximum() : std::max(total.maximum(), added.maximum()));
  total.set_sum(total.sum() + added.sum());
  total.set_clipped_voxels(total.clipped_voxels() + added.clipped_voxels());
  total.set_input_sum(total.input_sum() + added.input_sum());
  if (added.has_quality()) AddQuality(added.quality(), *total.mutable_quality());
}

bool AddTileCurve(const ObjectiveCurve& added, ObjectiveCurve& total) {
  const bool alike = std::equal(added.begin(), added.end(), total.begin(), total.end(),
                                [](const auto& x, const auto& y) { return x.iteration() == y.iteration(); });
  if (!alike) {
    total.Clear();
    return false;
  }
  for (int i = 0; i < added.size(); ++i) AddValue(added[i], total[i]);
  return true;
}

}  // namespace deconvoy

#include "server/jobs/tile_statistics.h"

#include <algorithm>

#include "server/jobs/trust_check.h"

namespace deconvoy::server {
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

}  // namespace

void AddStatistics(const v1::TileResult& tile, v1::Job& job) {
  const v1::ResultStatistics& added = tile.statistics();
  const bool first = !job.has_result();
  v1::ResultStatistics& total = *job.mutable_result();
  total.set_minimum(first ? added.minimum() : std::min(total.minimum(), added.minimum()));
  total.set_maximum(first ? added.maximum() : std::max(total.maximum(), added.maximum()));
  total.set_sum(total.sum() + added.sum());
  total.set_clipped_voxels(total.clipped_voxels() + added.clipped_voxels());
  total.set_input_sum(total.input_sum() + added.input_sum());
  if (added.has_quality()) AddQuality(added.quality(), *total.mutable_quality());
  if (added.has_trust()) AddTrust(added.trust(), *total.mutable_trust());
}

namespace {

using Objective = google::protobuf::RepeatedPtrField<v1::ObjectiveValue>;

bool SameIterations(const Objective& a, const Objective& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](const auto& x, const auto& y) { return x.iteration() == y.iteration(); });
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

void AddObjective(const v1::TileResult& tile, v1::Job& job) {
  if (tile.objective().empty()) return;
  // Without a curve so far, and no voxel that counted: else the curve has been given up.
  const bool first = job.objective().empty() && job.result().quality().voxels() == tile.statistics().quality().voxels();
  if (first) {
    *job.mutable_objective() = tile.objective();
  } else if (!SameIterations(tile.objective(), job.objective())) {
    job.clear_objective();
  } else {
    for (int i = 0; i < tile.objective_size(); ++i) {
      AddValue(tile.objective(i), *job.mutable_objective(i));
    }
  }
}

}  // namespace deconvoy::server

#include "worker/pipeline/trust.h"

#include <algorithm>
#include <functional>
#include <numeric>
#include <vector>

#include "proto/contract/status_macros.h"

namespace deconvoy::worker {
namespace {

double SquaresOf(const std::vector<float>& values) {
  return std::transform_reduce(values.begin(), values.end(), 0.0, std::plus<>(),
                               [](float v) { return static_cast<double>(v) * v; });
}

}  // namespace

void CountStrangePatches(const std::vector<learned::Figures>& patches, const v1::PatchStatistics& known,
                         v1::TrustStatistics& trust) {
  learned::PatchStatistics statistics;
  const auto figures = static_cast<int>(statistics.mean.size());
  if (!(known.threshold() > 0) || known.mean_size() != figures || known.deviation_size() != figures) return;
  std::copy(known.mean().begin(), known.mean().end(), statistics.mean.begin());
  std::copy(known.deviation().begin(), known.deviation().end(), statistics.deviation.begin());
  statistics.threshold = known.threshold();
  for (const learned::Figures& patch : patches) {
    const double strangeness = learned::Strangeness(patch, statistics);
    trust.set_patches(trust.patches() + 1);
    if (strangeness > 1) trust.set_strange_patches(trust.strange_patches() + 1);
    trust.set_strangeness(std::max(trust.strangeness(), strangeness));
  }
}

absl::Status AddTrust(const TrustedCore& core, const Shape3& shape, v1::TrustStatistics& trust) {
  const auto voxels = static_cast<uint64_t>(shape.y * shape.x);
  std::vector<float> plane(voxels);
  for (int64_t z = 0; z < shape.z; ++z) {
    RETURN_IF_ERROR(core.estimate(z, plane));
    trust.set_voxels(trust.voxels() + voxels);
    trust.set_estimate_squares(trust.estimate_squares() + SquaresOf(plane));
    if (!core.spread) continue;
    RETURN_IF_ERROR(core.spread(z, plane));
    trust.set_spread_squares(trust.spread_squares() + SquaresOf(plane));
  }
  return absl::OkStatus();
}

absl::Status AddComparison(const CorePlane& estimate, const CorePlane& classical, const Shape3& shape,
                           v1::TrustStatistics& trust) {
  const auto voxels = static_cast<uint64_t>(shape.y * shape.x);
  std::vector<float> plane(voxels), other(voxels);
  for (int64_t z = 0; z < shape.z; ++z) {
    RETURN_IF_ERROR(estimate(z, plane));
    RETURN_IF_ERROR(classical(z, other));
    trust.set_compared_voxels(trust.compared_voxels() + voxels);
    trust.set_classical_squares(trust.classical_squares() + SquaresOf(other));
    for (size_t i = 0; i < other.size(); ++i) other[i] -= plane[i];
    trust.set_difference_squares(trust.difference_squares() + SquaresOf(other));
  }
  return absl::OkStatus();
}

}  // namespace deconvoy::worker

#include "worker/pipeline/depth_blend.h"

#include <algorithm>
#include <utility>

#include "proto/contract/status_macros.h"

namespace deconvoy::worker {

double DepthWeight(std::span<const double> depths_um, size_t i, double depth_um) {
  const double depth = std::clamp(depth_um, depths_um.front(), depths_um.back());
  if (depth == depths_um[i]) return 1;
  if (depth < depths_um[i]) {
    return i == 0 ? 0 : std::max(0.0, (depth - depths_um[i - 1]) / (depths_um[i] - depths_um[i - 1]));
  }
  return i + 1 == depths_um.size() ? 0 : std::max(0.0, (depths_um[i + 1] - depth) / (depths_um[i + 1] - depths_um[i]));
}

DepthBlend::DepthBlend(std::vector<double> depths_um, double plane_um, const Box3& core)
    : depths_um_(std::move(depths_um)),
      plane_um_(plane_um),
      core_(core),
      blend_(static_cast<size_t>(core.shape.voxels())) {}

double DepthBlend::Weight(size_t i, int64_t z) const {
  return DepthWeight(depths_um_, i, static_cast<double>(core_.origin.z + z) * plane_um_);
}

std::vector<size_t> DepthBlend::Used() const {
  std::vector<size_t> used;
  for (size_t i = 0; i < depths_um_.size(); ++i) {
    for (int64_t z = 0; z < core_.shape.z; ++z) {
      if (Weight(i, z) == 0) continue;
      used.push_back(i);
      break;
    }
  }
  return used;
}

absl::Status DepthBlend::Add(size_t i, const Array& estimate, const Box3& core_in_domain, Ops& ops) {
  Box3 box = core_in_domain;
  box.shape.z = 1;
  const auto voxels = static_cast<size_t>(box.shape.voxels());
  std::vector<float> plane(voxels);
  for (int64_t z = 0; z < core_.shape.z; ++z, ++box.origin.z) {
    const auto weight = static_cast<float>(Weight(i, z));
    if (weight == 0) continue;
    RETURN_IF_ERROR(ops.Download(estimate, box, plane));
    float* sum = blend_.data() + static_cast<size_t>(z) * voxels;
    for (size_t k = 0; k < voxels; ++k) sum[k] += weight * plane[k];
  }
  return absl::OkStatus();
}

std::span<const float> DepthBlend::Plane(int64_t z) const {
  const auto voxels = static_cast<size_t>(core_.shape.y * core_.shape.x);
  return std::span(blend_).subspan(static_cast<size_t>(z) * voxels, voxels);
}

}  // namespace deconvoy::worker

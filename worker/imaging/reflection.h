// Mirror reflection of a measured box into a circular domain.
//
// The box lies at the domain's origin. Along each axis voxel i >= M of the domain takes the value of the voxel that
// reflection at the nearer face gives: ... c b a | a b c ... The margin is shared by both ends of the box, since the
// domain is circular; where it is longer than the box, reflections go on.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "proto/contract/geometry.h"

namespace deconvoy::worker {

// For each of `domain` voxels of one axis, the voxel in [0, measured) whose value it takes. REQUIRES: domain >=
// measured >= 1.
std::vector<int64_t> ReflectedAxis(int64_t measured, int64_t domain);

// Fills a domain plane from a measured one. `rows` and `columns` are the axes' `ReflectedAxis`.
void ReflectPlane(std::span<const float> plane, int64_t plane_columns, std::span<const int64_t> rows,
                  std::span<const int64_t> columns, std::span<float> target);

}  // namespace deconvoy::worker

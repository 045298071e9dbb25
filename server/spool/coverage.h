// Which part of a frame is covered by boxes that do not overlap one another.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "proto/contract/geometry.h"

namespace deconvoy::server {

// Voxels of `region` inside the boxes; equal to its own voxels when nothing of it is missing.
int64_t CoveredVoxels(const Box3& region, const std::vector<Box3>& boxes);

// The rest of a frame of shape `frame`, as disjoint boxes in z,y,x order, at most `limit` of them.
// REQUIRES: the boxes lie inside the frame and do not overlap.
std::vector<Box3> MissingBoxes(const Shape3& frame, std::vector<Box3> boxes, size_t limit);

// Place and extent of a box, for messages.
std::string BoxText(const FrameBox& box);

}  // namespace deconvoy::server

// What a PSF's extents mean for an image.
#pragma once

#include <vector>

#include "deconvoy/v1/jobs.pb.h"
#include "proto/contract/geometry.h"

namespace deconvoy::server {

// What the user of a deconvolution should hear of it: that image and PSF may be swapped, where the PSF is larger along
// every axis (WARNING), and what of it is not used, or wraps around (INFO). `psf` in voxels of the frame's size.
std::vector<v1::Finding> PsfSizeFindings(v1::Boundary boundary, const Shape3& frame, const Shape3& psf);

}  // namespace deconvoy::server

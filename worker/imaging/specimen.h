// Synthetic specimens: where the light comes from, before any microscope.
//
// Drawn with integers and + - * / sqrt only, so that a seed gives the same bits on any machine. Every structure has a
// smooth profile (1 - q^2)^2 of at least 1.2 voxels' radius, so that no edge is jagged. Lengths are in x voxels: where
// voxels are not cubes, structures keep their shape in space.
//
//   filaments  curved tubes of about 2 voxels' width, crossing the volume
//   shells     hollow spheres
//   beads      small spheres, all alike
//   points     pairs of single voxels, 2, 3, 4, 5, 6 and 8 voxels apart along x, y and z in turn
//   nuclei     large ellipsoids with a texture
//   mixed      some of each
#pragma once

#include <cstdint>
#include <vector>

#include "deconvoy/v1/jobs.pb.h"
#include "proto/contract/geometry.h"

namespace deconvoy::worker {

struct SpecimenRequest {
  Shape3 shape = {};  // of the frame
  v1::SpecimenKind kind = v1::MIXED;
  uint64_t seed = 0;
  double z_spacing = 1;  // distance of planes in units of that of columns
  double y_spacing = 1;
  std::vector<v1::SpecimenKind> left_out = {};  // kinds that MIXED goes without; not all
  Box3 window = {};                             // the part of the frame that is drawn; empty: all of it
};

// Brightness of every voxel of the window; of a whole frame at least one is above 0. Nuclei are as large as the frame
// allows, filaments as long. An unspecified kind is MIXED.
std::vector<float> DrawSpecimen(const SpecimenRequest& request);

}  // namespace deconvoy::worker

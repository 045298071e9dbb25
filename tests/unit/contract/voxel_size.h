// A voxel size or width in one line.
#pragma once

#include "deconvoy/v1/volumes.pb.h"

namespace deconvoy {

inline v1::VoxelSize Size(double z_um, double y_um, double x_um) {
  v1::VoxelSize size;
  size.set_z_um(z_um);
  size.set_y_um(y_um);
  size.set_x_um(x_um);
  return size;
}

}  // namespace deconvoy

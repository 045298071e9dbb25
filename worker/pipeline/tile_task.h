// The tasks that work on a tile: TILE, CALIBRATE, ESTIMATE_PSF.
#pragma once

#include "deconvoy/v1/workers.pb.h"

namespace deconvoy::worker {

// The tile of such a task; null for any other.
inline const v1::TileTask* TileOf(const v1::Task& task) {
  if (task.has_tile()) return &task.tile();
  if (task.has_calibrate()) return &task.calibrate().tile();
  return task.has_estimate_psf() ? &task.estimate_psf().tile() : nullptr;
}

// Whether such a task may be executed while another one is, each with operations of its own. Models are the process's.
inline bool RunsBesideAnother(const v1::Task& task) {
  return task.has_tile() && task.tile().models().empty();
}

}  // namespace deconvoy::worker

// Blurs a tile's result once more and compares it with the image (worker/imaging/residual.h).
#pragma once

#include <absl/status/statusor.h>

#include "worker/imaging/residual.h"
#include "worker/ops/backend.h"
#include "worker/pipeline/piece_writer.h"

namespace deconvoy::worker {

struct ResidualProblem {
  Ops* ops = nullptr;
  const Otf* otf = nullptr;
  const Array* measured = nullptr;  // y
  const Array* mask = nullptr;      // m; null for 1 everywhere
  Box3 core;                        // in the domain
  ResidualScale scale;
  int threads = 1;  // that sum up
};

// Adds the sums over the core: on a device where that lies, unless there is a `map`; else on the host in at most 64 MiB
// at once, or eight rows, and 8 bytes per voxel of a plane. Plane by plane its normalised residual goes to `map`,
// unless that is null; where m is 0 it is 0 and does not count. `model`, which may be the estimate, becomes b + H x in
// the core. BAD_OUTPUT where that is not finite. Errors: those of `map` and Ops.
absl::Status MeasureResidual(const ResidualProblem& problem, const Array& estimate, Array& model, PieceWriter* map,
                             ResidualSums& sums);

// The residual of a core without light, y = 0, whose result is 0 as well.
absl::Status WriteDarkResidual(const ResidualScale& scale, const Shape3& core, PieceWriter& map);

}  // namespace deconvoy::worker

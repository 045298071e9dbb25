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
  Box3 core;                        // in the domain
  ResidualScale scale;
};

// The sums over the core. Plane by plane its normalised residual goes to `map`, unless that is null. `estimate` becomes
// the model b + H x, so that no further memory is taken. BAD_OUTPUT where that is not finite. Errors: those of `map`
// and Ops.
absl::StatusOr<ResidualSums> MeasureResidual(const ResidualProblem& problem, Array& estimate, PieceWriter* map);

// The residual of a core without light, y = 0, whose result is 0 as well.
absl::Status WriteDarkResidual(const ResidualScale& scale, const Shape3& core, PieceWriter& map);

}  // namespace deconvoy::worker

// The differences of splittings as stencils.
#pragma once

#include <array>

#include "worker/backends/cuda/fields.h"
#include "worker/ops/backend.h"

namespace deconvoy::worker::cuda {

// K of a PriorSplit (worker/ops/backend.h), from x to its parts, or with `adjoint` K*, from the parts back. Without
// slopes it has no parts.
Stencil MakeStencil(Slopes slopes, const std::array<float, 3>& factors, bool adjoint);

}  // namespace deconvoy::worker::cuda

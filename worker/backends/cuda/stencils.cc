#include "worker/backends/cuda/stencils.h"

#include "worker/ops/slope_taps.h"

namespace deconvoy::worker::cuda {
namespace {

void Add(const Voxel& offset, size_t part, float factor, Stencil& stencil) {
  const auto z = static_cast<int32_t>(offset.z), y = static_cast<int32_t>(offset.y), x = static_cast<int32_t>(offset.x);
  int32_t at = 0;
  while (at < stencil.taps && (stencil.tap[at].z != z || stencil.tap[at].y != y || stencil.tap[at].x != x)) ++at;
  if (at == stencil.taps) stencil.tap[stencil.taps++] = {.z = z, .y = y, .x = x, .factors = {}};
  stencil.tap[at].factors[part] += factor;
}

}  // namespace

Stencil MakeStencil(Slopes slopes, const std::array<float, 3>& factors, bool adjoint) {
  Stencil stencil;
  stencil.parts = static_cast<int32_t>(PartsOf(slopes));
  for (const SlopeTap& tap : SlopeTaps(slopes, factors)) {
    Add(adjoint ? Voxel{} - tap.offset : tap.offset, tap.part, tap.factor, stencil);
  }
  return stencil;
}

}  // namespace deconvoy::worker::cuda

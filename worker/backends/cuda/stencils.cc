#include "worker/backends/cuda/stencils.h"

#include <cmath>

namespace deconvoy::worker::cuda {
namespace {

class Maker {
 public:
  explicit Maker(bool adjoint) : direction_(adjoint ? -1 : 1) {}

  // What the voxel at `offset` gives to a part.
  void Add(size_t part, const Voxel& offset, float factor) {
    const auto z = static_cast<int32_t>(direction_ * offset.z), y = static_cast<int32_t>(direction_ * offset.y),
               x = static_cast<int32_t>(direction_ * offset.x);
    int32_t at = 0;
    while (at < stencil_.taps && (stencil_.tap[at].z != z || stencil_.tap[at].y != y || stencil_.tap[at].x != x)) ++at;
    if (at == stencil_.taps) stencil_.tap[stencil_.taps++] = {.z = z, .y = y, .x = x, .factors = {}};
    stencil_.tap[at].factors[part] += factor;
  }
  void AddFirst(size_t part, const Voxel& step, float factor) {
    Add(part, step, factor);
    Add(part, {}, -factor);
  }
  void AddSecond(size_t part, const Voxel& step, float factor) {
    Add(part, step, factor);
    Add(part, {}, -2 * factor);
    Add(part, Voxel{} - step, factor);
  }
  void AddMixed(size_t part, const Voxel& a, const Voxel& b, float factor) {
    Add(part, a + b, factor);
    Add(part, a, -factor);
    Add(part, b, -factor);
    Add(part, {}, factor);
  }

  Stencil Take(Slopes slopes) {
    stencil_.parts = static_cast<int32_t>(PartsOf(slopes));
    return stencil_;
  }

 private:
  const int64_t direction_;
  Stencil stencil_;
};

}  // namespace

Stencil MakeStencil(Slopes slopes, const std::array<float, 3>& factors, bool adjoint) {
  constexpr Voxel kUnits[3] = {{1, 0, 0}, {0, 1, 0}, {0, 0, 1}};
  Maker maker(adjoint);
  if (slopes == Slopes::kFirst) {
    for (size_t axis = 0; axis < 3; ++axis) maker.AddFirst(axis, kUnits[axis], factors[axis]);
  }
  if (slopes == Slopes::kSecond) {
    const float root = std::sqrt(2.0F);
    for (size_t axis = 0; axis < 3; ++axis) maker.AddSecond(axis, kUnits[axis], factors[axis] * factors[axis]);
    maker.AddMixed(3, kUnits[0], kUnits[1], root * factors[0] * factors[1]);
    maker.AddMixed(4, kUnits[0], kUnits[2], root * factors[0] * factors[2]);
    maker.AddMixed(5, kUnits[1], kUnits[2], root * factors[1] * factors[2]);
  }
  return maker.Take(slopes);
}

}  // namespace deconvoy::worker::cuda

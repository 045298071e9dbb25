// Arrays and weights in memory of the device.
#pragma once

#include <cstdint>
#include <utility>

#include "worker/backends/cuda/convolver.h"
#include "worker/backends/cuda/fields.h"
#include "worker/ops/axis_classes.h"
#include "worker/ops/backend.h"

namespace deconvoy::worker::cuda {

class CudaArray final : public Array {
 public:
  CudaArray(const Box3& box, StreamBlock memory) : box_(box), memory_(std::move(memory)) {}
  const Box3& box() const override { return box_; }
  float* data() const { return memory_.floats(); }
  int64_t voxels() const { return box_.shape.voxels(); }

 private:
  Box3 box_;
  StreamBlock memory_;
};

// What kernels see of an array; null of none.
inline Field FieldOf(const Array* array) {
  if (array == nullptr) return {};
  return {static_cast<const CudaArray*>(array)->data(), array->box().origin, array->box().shape};
}

// A table of w over the classes of positions, and the classes.
class CudaWeights final : public Weights {
 public:
  // Room for them. `classes` holds three lines: of z, y and x, by position.
  CudaWeights(const Shape3& domain, const Shape3& counts, StreamBlock table, StreamBlock classes)
      : domain_(domain), counts_(counts), table_(std::move(table)), classes_(std::move(classes)) {}

  WeightField field() const {
    const int32_t* const z = classes();
    return {table_.floats(), z, z + domain_.z, z + domain_.z + domain_.y, counts_.y, counts_.x};
  }
  float* table() const { return table_.floats(); }
  int32_t* classes() const { return classes_.as<int32_t>(); }

 private:
  Shape3 domain_;
  Shape3 counts_;  // of classes
  StreamBlock table_;
  StreamBlock classes_;
};

}  // namespace deconvoy::worker::cuda

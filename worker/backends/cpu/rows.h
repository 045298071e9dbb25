// What enters a convolution and what becomes of its values, row by row.
//
// Used by all threads at once, each plane by one of them.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "worker/backends/cpu/buffer.h"
#include "worker/backends/cpu/columns.h"
#include "worker/ops/backend.h"

namespace deconvoy::worker::cpu {

// The planes and rows of the domain that matter.
struct Extent {
  std::vector<int64_t> planes;  // ascending
  Run rows = {0, 0};            // of each of them

  static Extent Of(const Box3& box);
};

// A field on the domain, zero outside its extent.
class RowSource {
 public:
  explicit RowSource(Extent extent) : extent_(std::move(extent)) {}
  virtual ~RowSource() = default;
  const Extent& extent() const { return extent_; }
  // Writes the whole row of the domain. REQUIRES: (z, y) in the extent.
  virtual void Read(int64_t z, int64_t y, float* row) const = 0;

 private:
  Extent extent_;
};

// Takes the values of a convolution on its extent.
class RowSink {
 public:
  explicit RowSink(Extent extent) : extent_(std::move(extent)) {}
  virtual ~RowSink() = default;
  const Extent& extent() const { return extent_; }
  // `row` holds the values of a whole row of the domain and may be changed; the rows of a plane come in order.
  // `scratch` has room for two rows.
  virtual void Write(int64_t z, int64_t y, float* row, float* scratch) = 0;
  // After the last row.
  virtual void Finish() {}

 private:
  Extent extent_;
};

// An array of the CPU backend: its box in z,y,x order.
class CpuArray final : public Array {
 public:
  CpuArray(const Box3& box, Buffer buffer) : box_(box), buffer_(std::move(buffer)) {}
  const Box3& box() const override { return box_; }
  // The row's voxels inside the box. REQUIRES: (z, y) in the box, in coordinates of the domain.
  float* Row(int64_t z, int64_t y) { return buffer_.data() + Offset(z, y); }
  const float* Row(int64_t z, int64_t y) const { return buffer_.data() + Offset(z, y); }
  bool HasRow(int64_t z, int64_t y) const {
    return z >= box_.origin.z && z < box_.end().z && y >= box_.origin.y && y < box_.end().y;
  }

 private:
  int64_t Offset(int64_t z, int64_t y) const {
    return ((z - box_.origin.z) * box_.shape.y + (y - box_.origin.y)) * box_.shape.x;
  }

  Box3 box_;
  Buffer buffer_;
};

// The operations' prologues and epilogues as sources and sinks. `row_length` is the domain's x extent. A `GuardedRatio`
// or `Residual` without output leaves its values in the row that it is given, zero outside y's box.
std::unique_ptr<RowSource> MakeSource(const Prologue& prologue, int64_t row_length);
std::unique_ptr<RowSink> MakeSink(const Epilogue& epilogue, int64_t row_length);

// p on the columns of x's box.
void ExtrapolatedRow(const Extrapolate& p, int64_t z, int64_t y, float* out);

// 1, or the mask, inside a box.
std::unique_ptr<RowSource> MakeBoxSource(const Box3& box, const Array* mask, int64_t row_length);
// A PSF with its centre at the origin of the domain, wrapped around.
std::unique_ptr<RowSource> MakePsfSource(std::span<const float> psf, const Shape3& shape, const Voxel& centre,
                                         const Shape3& domain);

}  // namespace deconvoy::worker::cpu

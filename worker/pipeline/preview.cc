#include "worker/pipeline/preview.h"

#include <algorithm>
#include <limits>

#include "proto/contract/preview.h"
#include "proto/contract/volume_layout.h"
#include "worker/imaging/counts.h"

namespace deconvoy::worker {

PreviewProjection::PreviewProjection(const Box3& core, int64_t step)
    : core_(core),
      step_(step),
      pixels_(step > 0 ? PreviewPixels(core, step) : Box3{}),
      maximum_(static_cast<size_t>(pixels_.shape.voxels()), -std::numeric_limits<float>::infinity()),
      row_(static_cast<size_t>(step > 0 ? core.shape.x : 0)) {}

void PreviewProjection::AddPlane(std::span<const std::byte> raw, v1::VoxelType type) {
  if (maximum_.empty()) return;
  const size_t row_bytes = row_.size() * static_cast<size_t>(BytesPerVoxel(type));
  for (int64_t y = 0; y < core_.shape.y; ++y) {
    ToFloat(raw.subspan(static_cast<size_t>(y) * row_bytes, row_bytes), type, row_);
    const int64_t line = (core_.origin.y + y) / step_ - pixels_.origin.y;
    float* const pixels = maximum_.data() + line * pixels_.shape.x;
    for (int64_t x = 0; x < core_.shape.x;) {
      const int64_t pixel = (core_.origin.x + x) / step_ - pixels_.origin.x;
      const int64_t end = std::min((pixel + pixels_.origin.x + 1) * step_ - core_.origin.x, core_.shape.x);
      pixels[pixel] = std::max(pixels[pixel], *std::max_element(row_.begin() + x, row_.begin() + end));
      x = end;
    }
  }
}

v1::PreviewPart PreviewProjection::Part() const {
  v1::PreviewPart part;
  if (maximum_.empty()) return part;
  part.set_y(static_cast<uint32_t>(pixels_.origin.y));
  part.set_x(static_cast<uint32_t>(pixels_.origin.x));
  part.set_size_y(static_cast<uint32_t>(pixels_.shape.y));
  part.set_size_x(static_cast<uint32_t>(pixels_.shape.x));
  part.mutable_maximum()->Assign(maximum_.begin(), maximum_.end());
  return part;
}

}  // namespace deconvoy::worker

#include "proto/contract/preview.h"

#include <algorithm>

namespace deconvoy {

int64_t PreviewStep(const Shape3& frame) {
  return (std::max(frame.y, frame.x) + kPreviewPixels - 1) / kPreviewPixels;
}

Box3 PreviewPixels(const Box3& box, int64_t step) {
  const Voxel& begin = box.origin;
  const int64_t y = begin.y / step, x = begin.x / step;
  return {{0, y, x}, {1, (begin.y + box.shape.y - 1) / step + 1 - y, (begin.x + box.shape.x - 1) / step + 1 - x}};
}

}  // namespace deconvoy

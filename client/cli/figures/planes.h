// Planes of a stack as floating-point numbers.
#pragma once

#include <absl/status/statusor.h>

#include <cstddef>
#include <cstdint>
#include <vector>

#include "client/imageio/image_file.h"
#include "proto/contract/geometry.h"

namespace deconvoy::client {

Shape5 ShapeOf(const imageio::ImageReader& image);

// Reads planes of one stack. The stack must outlive it.
class PlaneReader {
 public:
  explicit PlaneReader(imageio::ImageReader& image);

  // One plane, rows from the top; valid until the next call. Errors: NOT_FINITE_INPUT naming the first voxel that is
  // NaN or infinite; whatever reading gives.
  absl::StatusOr<const std::vector<double>*> Read(int64_t t, int64_t c, int64_t z);

 private:
  imageio::ImageReader& image_;
  std::vector<std::byte> bytes_;
  std::vector<double> values_;
};

}  // namespace deconvoy::client

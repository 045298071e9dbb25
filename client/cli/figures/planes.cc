#include "client/cli/figures/planes.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "proto/contract/error.h"
#include "proto/contract/status_macros.h"
#include "proto/contract/volume_layout.h"

namespace deconvoy::client {
namespace {

template <typename T>
void Convert(const std::vector<std::byte>& bytes, std::vector<double>& values) {
  for (size_t i = 0; i < values.size(); ++i) {
    T value;
    std::memcpy(&value, bytes.data() + i * sizeof(T), sizeof(T));
    values[i] = static_cast<double>(value);
  }
}

}  // namespace

Shape5 ShapeOf(const imageio::ImageReader& image) {
  const v1::Shape5& shape = image.spec().shape();
  return {shape.t(), shape.c(), shape.z(), shape.y(), shape.x()};
}

PlaneReader::PlaneReader(imageio::ImageReader& image) : image_(image) {
  const Shape5 shape = ShapeOf(image);
  const auto pixels = static_cast<size_t>(shape.y * shape.x);
  bytes_.resize(pixels * static_cast<size_t>(BytesPerVoxel(image.spec().type())));
  values_.resize(pixels);
}

absl::StatusOr<const std::vector<double>*> PlaneReader::Read(int64_t t, int64_t c, int64_t z) {
  RETURN_IF_ERROR(image_.ReadPlane(t, c, z, bytes_));
  const v1::VoxelType type = image_.spec().type();
  if (type == v1::U8) Convert<uint8_t>(bytes_, values_);
  if (type == v1::U16) Convert<uint16_t>(bytes_, values_);
  if (type != v1::F32) return &values_;
  Convert<float>(bytes_, values_);
  const auto wrong = std::find_if(values_.begin(), values_.end(), [](double value) { return !std::isfinite(value); });
  if (wrong == values_.end()) return &values_;
  const int64_t index = wrong - values_.begin(), width = ShapeOf(image_).x;
  return MakeError({.reason = v1::NOT_FINITE_INPUT, .remedy = "Replace such voxels, for instance by 0, and try again."},
                   fmt::format("{}: the voxel at t,c,z,y,x {},{},{},{},{} is {}", image_.spec().display_name(), t, c, z,
                               index / width, index % width, *wrong));
}

}  // namespace deconvoy::client

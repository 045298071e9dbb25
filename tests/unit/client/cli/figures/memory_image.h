// A stack in memory, read as if it came from a file.
#pragma once

#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "client/imageio/image_file.h"
#include "proto/contract/geometry.h"
#include "proto/contract/volume_layout.h"

namespace deconvoy::client::testing {

// `T` is uint8_t, uint16_t or float; values in C order t,c,z,y,x.
template <typename T>
class MemoryImage : public imageio::ImageReader {
 public:
  MemoryImage(const Shape5& shape, std::vector<T> values, const std::string& name = "memory.tif")
      : values_(std::move(values)), plane_(shape.y * shape.x) {
    spec_.set_display_name(name);
    *spec_.mutable_shape() = ToProto(shape);
    spec_.set_type(sizeof(T) == 1 ? v1::U8 : sizeof(T) == 2 ? v1::U16 : v1::F32);
  }

  v1::VolumeSpec& mutable_spec() { return spec_; }
  const std::vector<T>& values() const { return values_; }

  const v1::VolumeSpec& spec() const override { return spec_; }
  std::string format() const override { return "memory"; }
  const std::vector<std::string>& notes() const override { return notes_; }
  const imageio::Acquisition& acquisition() const override { return acquisition_; }
  absl::Status ReadPlane(int64_t t, int64_t c, int64_t z, std::span<std::byte> target) override {
    const int64_t plane = (t * spec_.shape().c() + c) * spec_.shape().z() + z;
    std::memcpy(target.data(), values_.data() + plane * plane_, target.size());
    return absl::OkStatus();
  }

 private:
  const std::vector<T> values_;
  const int64_t plane_;
  v1::VolumeSpec spec_;
  std::vector<std::string> notes_;
  imageio::Acquisition acquisition_;
};

}  // namespace deconvoy::client::testing

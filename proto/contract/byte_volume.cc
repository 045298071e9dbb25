#include "proto/contract/byte_volume.h"

#include <fmt/format.h>

#include <boost/endian/conversion.hpp>

#include "proto/contract/error.h"

namespace deconvoy {
namespace {

constexpr int64_t kRowBytes = 4096;
constexpr size_t kLengthBytes = 8;

size_t FrameBytes(const v1::VolumeSpec& volume) {
  return size_t{volume.shape().y()} * volume.shape().x();
}

}  // namespace

v1::VolumeSpec ByteVolume(int64_t bytes, int64_t frames) {
  v1::VolumeSpec volume;
  volume.set_type(v1::U8);
  volume.mutable_shape()->set_t(static_cast<uint32_t>(frames));
  volume.mutable_shape()->set_c(1);
  volume.mutable_shape()->set_z(1);
  volume.mutable_shape()->set_y(
      static_cast<uint32_t>((bytes + static_cast<int64_t>(kLengthBytes) + kRowBytes - 1) / kRowBytes));
  volume.mutable_shape()->set_x(kRowBytes);
  return volume;
}

absl::Status CheckByteVolume(const v1::VolumeSpec& volume, std::string_view field) {
  const v1::Shape5& shape = volume.shape();
  if (volume.type() == v1::U8 && shape.c() == 1 && shape.z() == 1 && shape.x() == kRowBytes) return absl::OkStatus();
  return MakeError(
      {.reason = v1::INVALID_FIELD,
       .field = std::string(field),
       .remedy = "Use `deconvoy models import`, which puts a file into a volume as docs/formats/models.md says."},
      fmt::format("`{}` holds no file: it is not u8 of one channel, one plane and rows of {}", field, kRowBytes));
}

absl::StatusOr<std::string> ToFrameBytes(std::string_view file, const v1::VolumeSpec& volume) {
  const size_t room = FrameBytes(volume);
  if (room < kLengthBytes || file.size() > room - kLengthBytes) {
    return MakeError({.reason = v1::BAD_MODEL},
                     fmt::format("a file of {} bytes does not fit into a frame of {}", file.size(), room));
  }
  std::string frame(room, '\0');
  boost::endian::store_little_u64(reinterpret_cast<unsigned char*>(frame.data()), file.size());
  file.copy(frame.data() + kLengthBytes, file.size());
  return frame;
}

absl::StatusOr<std::string_view> FromFrameBytes(std::string_view frame) {
  if (frame.size() >= kLengthBytes) {
    const uint64_t length = boost::endian::load_little_u64(reinterpret_cast<const unsigned char*>(frame.data()));
    if (length <= frame.size() - kLengthBytes) return frame.substr(kLengthBytes, length);
  }
  return MakeError({.reason = v1::BAD_MODEL, .remedy = "Import the model's file again."},
                   fmt::format("{} bytes do not hold a file of the length that they begin with", frame.size()));
}

}  // namespace deconvoy

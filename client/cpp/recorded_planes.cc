#include "client/cpp/recorded_planes.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "client/cpp/missing_boxes.h"
#include "proto/contract/error.h"
#include "proto/contract/volume_layout.h"

namespace deconvoy::client {

RecordedPlanes::RecordedPlanes(const Shape5& shape, v1::VoxelType type)
    : shape_(shape), plane_bytes_(shape.y * shape.x * BytesPerVoxel(type)), buffer_(type) {}

absl::Status RecordedPlanes::Check(int64_t t, int64_t c, int64_t z, std::span<const std::byte> plane) const {
  if (t < 0 || t >= shape_.t || c < 0 || c >= shape_.c || z < 0 || z >= shape_.z) {
    return MakeError(
        {.reason = v1::INVALID_FIELD, .remedy = "Open the stream with all time points, channels and planes."},
        fmt::format("there is no plane t,c,z {},{},{} in a recording of {} x {} x {}", t, c, z, shape_.t, shape_.c,
                    shape_.z));
  }
  if (static_cast<int64_t>(plane.size()) == plane_bytes_) return absl::OkStatus();
  return MakeError({.reason = v1::INVALID_FIELD, .remedy = "Push whole planes of the type and size announced."},
                   fmt::format("the plane t,c,z {},{},{} has {} bytes, not {}", t, c, z, plane.size(), plane_bytes_));
}

bool RecordedPlanes::HasRoom(int64_t most_bytes) const {
  return buffer_.empty() || buffer_.bytes() + plane_bytes_ <= most_bytes;
}

absl::Status RecordedPlanes::Take(int64_t t, int64_t c, int64_t z, PlaneBuffer::Bytes bytes) {
  if (!taken_.Add(Place(t, c, z))) {
    return MakeError({.reason = v1::BOX_OVERLAPS, .remedy = "Push each plane once; `Has` tells which there are."},
                     fmt::format("the plane t,c,z {},{},{} is there already", t, c, z));
  }
  buffer_.Add(BoxOf(t, c, z), std::move(bytes));
  return absl::OkStatus();
}

bool RecordedPlanes::Has(int64_t t, int64_t c, int64_t z) const {
  return taken_.Contains(Place(t, c, z));
}

absl::Status RecordedPlanes::CheckAllTaken() const {
  const int64_t total = shape_.frames() * shape_.z;
  if (taken_.size() == total) return absl::OkStatus();
  const int64_t place = taken_.FirstAbsent(), frame = place / shape_.z;
  return MakeError({.reason = v1::VOLUME_INCOMPLETE, .remedy = "Push it, or close the stream and go on later."},
                   fmt::format("{} of {} planes were pushed; the first that was not is t,c,z {},{},{}", taken_.size(),
                               total, frame / shape_.c, frame % shape_.c, place % shape_.z));
}

AcquisitionCounts RecordedPlanes::counts() const {
  return {.planes_total = shape_.frames() * shape_.z,
          .planes_taken = taken_.size(),
          .planes_durable = durable_,
          .buffered_bytes = buffer_.bytes()};
}

absl::StatusOr<std::vector<FrameBox>> RecordedPlanes::Open(const v1::Volume& input) {
  if (input.committed_bytes() < committed_bytes_) {
    return MakeError({.reason = v1::CORRUPT_DATA,
                      .remedy = "Keep what the microscope has written elsewhere, and open a new session."},
                     fmt::format("the server had acknowledged {} bytes of {} and now has {} only", committed_bytes_,
                                 input.name(), input.committed_bytes()));
  }
  committed_bytes_ = input.committed_bytes();
  const MissingBoxes missing(input);
  std::vector<FrameBox> durable = buffer_.Restart(missing);
  durable_ += static_cast<int64_t>(durable.size());
  if (!std::exchange(opened_, true)) {
    taken_ = HeldBy(missing);
    durable_ = taken_.size();
  }
  return durable;
}

PlaneSet RecordedPlanes::HeldBy(const MissingBoxes& missing) const {
  PlaneSet held;
  for (int64_t t = 0; t < shape_.t; ++t)
    for (int64_t c = 0; c < shape_.c; ++c)
      for (int64_t z = 0; z < shape_.z; ++z)
        if (!missing.Misses(BoxOf(t, c, z))) held.Add(Place(t, c, z));
  return held;
}

std::vector<FrameBox> RecordedPlanes::Acknowledge(const v1::WriteVolumeResponse& written) {
  std::vector<FrameBox> durable = buffer_.Acknowledge(written.chunks_committed());
  durable_ += static_cast<int64_t>(durable.size());
  committed_bytes_ = std::max(committed_bytes_, written.committed_bytes());
  return durable;
}

}  // namespace deconvoy::client

// The planes of a recording: which were taken, which are on their way to the server, and which are durable there.
// Internal to this library.
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "client/cpp/acquisition_stream.h"
#include "client/cpp/plane_buffer.h"
#include "client/cpp/plane_set.h"
#include "deconvoy/v1/volumes.pb.h"
#include "proto/contract/geometry.h"

namespace deconvoy::client {

// Not thread safe, but for Check.
class RecordedPlanes {
 public:
  // `shape` of the whole recording.
  RecordedPlanes(const Shape5& shape, v1::VoxelType type);

  // INVALID_FIELD where there is no such plane, or it does not have these bytes. Thread safe.
  absl::Status Check(int64_t t, int64_t c, int64_t z, std::span<const std::byte> plane) const;
  // Whether with one more plane at most `most_bytes` are not durable; one alone always has room.
  bool HasRoom(int64_t most_bytes) const;
  // BOX_OVERLAPS where it was taken before. REQUIRES: Check accepts it.
  absl::Status Take(int64_t t, int64_t c, int64_t z, PlaneBuffer::Bytes bytes);
  bool Has(int64_t t, int64_t c, int64_t z) const;
  // VOLUME_INCOMPLETE naming the first plane that was not taken.
  absl::Status CheckAllTaken() const;
  AcquisitionCounts counts() const;

  // A call has been opened: what the server has of `input` need not be sent, and with the first call counts as taken.
  // Returns the planes of the buffer that turn out to be durable. CORRUPT_DATA where the server lacks what it has
  // acknowledged.
  absl::StatusOr<std::vector<FrameBox>> Open(const v1::Volume& input);
  // Returns the planes that are durable now.
  std::vector<FrameBox> Acknowledge(const v1::WriteVolumeResponse& written);

  bool all_durable() const { return buffer_.empty(); }
  int64_t buffered_bytes() const { return buffer_.bytes(); }
  // What is to be sent over the call that is open.
  bool has_next() const { return buffer_.has_next(); }
  std::optional<PlaneBuffer::Piece> TakeNext() { return buffer_.TakeNext(); }

 private:
  int64_t Place(int64_t t, int64_t c, int64_t z) const { return (t * shape_.c + c) * shape_.z + z; }
  FrameBox BoxOf(int64_t t, int64_t c, int64_t z) const { return {t, c, {{z, 0, 0}, {1, shape_.y, shape_.x}}}; }
  PlaneSet HeldBy(const MissingBoxes& missing) const;

  const Shape5 shape_;
  const int64_t plane_bytes_;
  PlaneBuffer buffer_;
  PlaneSet taken_;
  int64_t durable_ = 0;
  uint64_t committed_bytes_ = 0;  // of the input, as far as heard
  bool opened_ = false;
};

}  // namespace deconvoy::client

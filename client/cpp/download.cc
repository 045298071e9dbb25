// Reading a volume: chunks in order, checked, put together to planes; resumed at the first plane not delivered.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "client/cpp/client.h"
#include "client/cpp/connection.h"
#include "client/cpp/plane.h"
#include "proto/contract/checksum.h"
#include "proto/contract/compression.h"
#include "proto/contract/error.h"
#include "proto/contract/status_macros.h"
#include "proto/contract/validation.h"
#include "proto/contract/volume_layout.h"

namespace deconvoy::client {
namespace {

// Frames asked for in one call, which bounds the request.
constexpr int64_t kFramesPerCall = 1024;

class Downloader {
 public:
  Downloader(Connection& connection, const v1::Volume& volume, const Shape5& shape, const PlaneSink& sink,
             const TransferObserver& progress, const std::stop_token& stop)
      : connection_(connection),
        name_(volume.name()),
        spec_(volume.spec()),
        shape_(shape),
        plane_bytes_(shape.y * shape.x * BytesPerVoxel(spec_.type())),
        planes_(shape.t * shape.c * shape.z),
        sink_(sink),
        progress_(progress),
        stop_(stop),
        retrier_(connection.MakeRetrier(stop)) {}

  absl::Status Run() {
    ASSIGN_OR_RETURN(plane_, AllocatePlane(plane_bytes_));
    while (delivered_planes_ < planes_) {
      const int64_t before = delivered_planes_;
      absl::Status status = ReadOn();
      if (status.ok() && delivered_planes_ == before)
        status = absl::UnavailableError("the server ended the download early");
      if (!status.ok()) RETURN_IF_ERROR(retrier_.Pause(status));
    }
    return absl::OkStatus();
  }

 private:
  // One Read call from the first plane that has not been delivered.
  absl::Status ReadOn() {
    in_plane_ = 0;
    grpc::ClientContext context;
    const std::stop_callback cancel(stop_, [&context] { context.TryCancel(); });
    const auto stream = connection_.volumes().Read(&context, NextRequest());
    v1::ReadVolumeResponse response;
    while (stream->Read(&response)) {
      absl::Status status = Unpack(*response.mutable_chunk(), spec_);
      if (status.ok()) status = Take(response.chunk());
      if (!status.ok()) {
        context.TryCancel();
        while (stream->Read(&response)) {
        }
        stream->Finish();
        return status;
      }
    }
    return connection_.ToStatus(stream->Finish());
  }

  v1::ReadVolumeRequest NextRequest() const {
    v1::ReadVolumeRequest request;
    request.set_volume(name_);
    if (connection_.packing.kind != v1::COMPRESSION_UNSPECIFIED) request.add_accept(connection_.packing.kind);
    const int64_t first = delivered_planes_ / shape_.z;
    for (int64_t frame = first; frame < std::min(first + kFramesPerCall, shape_.frames()); ++frame) {
      const int64_t z = frame == first ? delivered_planes_ % shape_.z : 0;
      *request.add_regions() =
          ToProto({frame / shape_.c, frame % shape_.c, {{z, 0, 0}, {shape_.z - z, shape_.y, shape_.x}}});
    }
    return request;
  }

  absl::Status Take(const v1::Chunk& chunk) {
    RETURN_IF_ERROR(AddContext(ValidateChunk(chunk, spec_), fmt::format("downloading {}", name_)));
    RETURN_IF_ERROR(CheckNext(ToFrameBox(chunk.box())));
    std::span<const std::byte> data = std::as_bytes(std::span(chunk.data()));
    while (!data.empty()) {
      const size_t bytes = std::min(data.size(), static_cast<size_t>(plane_bytes_ - in_plane_));
      std::copy_n(data.begin(), bytes, plane_.begin() + in_plane_);
      data = data.subspan(bytes);
      in_plane_ += static_cast<int64_t>(bytes);
      if (in_plane_ == plane_bytes_) RETURN_IF_ERROR(Deliver());
    }
    return absl::OkStatus();
  }

  // The chunk must be the bytes that follow those taken so far: whole planes, whole rows of one, or a part of one row.
  absl::Status CheckNext(const FrameBox& piece) const {
    const Box3& box = piece.box;
    const int64_t voxel_bytes = BytesPerVoxel(spec_.type());
    const int64_t plane = (piece.t * shape_.c + piece.c) * shape_.z + box.origin.z;
    const int64_t offset = (box.origin.y * shape_.x + box.origin.x) * voxel_bytes;
    const bool whole_rows = box.shape.x == shape_.x;
    const bool whole_planes = whole_rows && box.shape.y == shape_.y;
    const bool consecutive = (box.shape.z == 1 || whole_planes) && (box.shape.y == 1 || whole_rows);
    if (consecutive && plane == delivered_planes_ && offset == in_plane_) return absl::OkStatus();
    return absl::InternalError(
        fmt::format("the server sent a box of {} out of order: plane {}, byte {}; expected plane {}, byte {}", name_,
                    plane, offset, delivered_planes_, in_plane_));
  }

  absl::Status Deliver() {
    const int64_t frame = delivered_planes_ / shape_.z;
    RETURN_IF_ERROR(sink_(frame / shape_.c, frame % shape_.c, delivered_planes_ % shape_.z, plane_));
    ++delivered_planes_;
    in_plane_ = 0;
    retrier_.Reset();
    if (progress_) progress_({.bytes_done = delivered_planes_ * plane_bytes_, .bytes_total = planes_ * plane_bytes_});
    return absl::OkStatus();
  }

  Connection& connection_;
  const std::string name_;
  const v1::VolumeSpec spec_;
  const Shape5 shape_;
  const int64_t plane_bytes_;
  const int64_t planes_;
  const PlaneSink& sink_;
  const TransferObserver& progress_;
  const std::stop_token stop_;
  Retrier retrier_;

  std::vector<std::byte> plane_;
  int64_t in_plane_ = 0;  // bytes of the current plane that have come
  int64_t delivered_planes_ = 0;
};

}  // namespace

absl::Status Client::Download(const std::string& volume, const PlaneSink& sink, const TransferObserver& progress,
                              std::stop_token stop) const {
  ASSIGN_OR_RETURN(const v1::Volume found, GetVolume(volume, stop));
  ASSIGN_OR_RETURN(const Shape5 shape, ToShape(found.spec().shape(), found.spec().type(), "spec.shape"));
  return Downloader(*connection_, found, shape, sink, progress, stop).Run();
}

}  // namespace deconvoy::client

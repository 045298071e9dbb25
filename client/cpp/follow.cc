// Reading a volume while it is written: boxes as they become durable; resumed with the planes that are not complete.
// And one box of it alone.
#include <fmt/format.h>

#include <utility>

#include "client/cpp/client.h"
#include "client/cpp/connection.h"
#include "client/cpp/coverage.h"
#include "client/cpp/plane.h"
#include "proto/contract/error.h"
#include "proto/contract/status_macros.h"
#include "proto/contract/validation.h"
#include "proto/contract/volume_layout.h"

namespace deconvoy::client {
namespace {

// Boxes asked for in one call, which bounds the request; where more are missing, everything is asked for.
constexpr size_t kMostRegions = 1024;

// One Read call: every chunk, checked, goes to `take`.
absl::Status ReadChunks(Connection& connection, const v1::ReadVolumeRequest& request, const v1::VolumeSpec& spec,
                        const std::stop_token& stop, const std::function<absl::Status(const v1::Chunk&)>& take) {
  grpc::ClientContext context;
  const std::stop_callback cancel(stop, [&context] { context.TryCancel(); });
  const auto stream = connection.volumes().Read(&context, request);
  v1::ReadVolumeResponse response;
  absl::Status taken;
  while (stream->Read(&response)) {
    if (!taken.ok()) continue;
    taken = AddContext(ValidateChunk(response.chunk(), spec), fmt::format("reading {}", request.volume()));
    if (taken.ok()) taken = take(response.chunk());
    if (!taken.ok()) context.TryCancel();
  }
  const absl::Status ended = connection.ToStatus(stream->Finish());
  return taken.ok() ? ended : taken;
}

class Follower {
 public:
  Follower(Connection& connection, const v1::Volume& volume, const Shape5& shape, const BoxSink& sink,
           const TransferObserver& progress, const std::stop_token& stop)
      : connection_(connection),
        name_(volume.name()),
        spec_(volume.spec()),
        bytes_total_(VolumeBytes(shape, volume.spec().type())),
        sink_(sink),
        progress_(progress),
        stop_(stop),
        retrier_(connection.MakeRetrier(stop)),
        coverage_(shape) {}

  absl::Status Run() {
    while (!coverage_.complete()) {
      absl::Status status =
          ReadChunks(connection_, NextRequest(), spec_, stop_, [this](const v1::Chunk& chunk) { return Take(chunk); });
      if (coverage_.complete()) break;
      if (status.ok()) status = absl::UnavailableError("the server ended the download early");
      RETURN_IF_ERROR(retrier_.Pause(status));
    }
    return absl::OkStatus();
  }

 private:
  v1::ReadVolumeRequest NextRequest() const {
    v1::ReadVolumeRequest request;
    request.set_volume(name_);
    request.set_follow(true);
    if (coverage_.voxels() == 0) return request;
    const std::vector<FrameBox> missing = coverage_.Missing();
    if (missing.size() > kMostRegions) return request;
    for (const FrameBox& box : missing) *request.add_regions() = ToProto(box);
    return request;
  }

  absl::Status Take(const v1::Chunk& chunk) {
    const FrameBox box = ToFrameBox(chunk.box());
    const int64_t added = coverage_.Add(box);
    if (added == 0) return absl::OkStatus();
    retrier_.Reset();
    RETURN_IF_ERROR(sink_(box, std::as_bytes(std::span(chunk.data()))));
    if (progress_) {
      progress_({.bytes_done = coverage_.voxels() * BytesPerVoxel(spec_.type()), .bytes_total = bytes_total_});
    }
    return absl::OkStatus();
  }

  Connection& connection_;
  const std::string name_;
  const v1::VolumeSpec spec_;
  const int64_t bytes_total_;
  const BoxSink& sink_;
  const TransferObserver& progress_;
  const std::stop_token stop_;
  Retrier retrier_;
  Coverage coverage_;
};

}  // namespace

absl::Status Client::Follow(const std::string& volume, const BoxSink& sink, const TransferObserver& progress,
                            std::stop_token stop) const {
  ASSIGN_OR_RETURN(const v1::Volume found, GetVolume(volume, stop));
  ASSIGN_OR_RETURN(const Shape5 shape, ToShape(found.spec().shape(), found.spec().type(), "spec.shape"));
  return Follower(*connection_, found, shape, sink, progress, stop).Run();
}

absl::StatusOr<std::vector<std::byte>> Client::ReadBox(const std::string& volume, const FrameBox& box,
                                                       std::stop_token stop) const {
  ASSIGN_OR_RETURN(const v1::Volume found, GetVolume(volume, stop));
  ASSIGN_OR_RETURN(const Shape5 shape, ToShape(found.spec().shape(), found.spec().type(), "spec.shape"));
  RETURN_IF_ERROR(CheckBox(ToProto(box), shape, "box"));
  const int64_t voxel_bytes = BytesPerVoxel(found.spec().type());
  ASSIGN_OR_RETURN(std::vector<std::byte> voxels, AllocatePlane(box.box.shape.voxels() * voxel_bytes));
  v1::ReadVolumeRequest request;
  request.set_volume(volume);
  *request.add_regions() = ToProto(box);
  Retrier retrier = connection_->MakeRetrier(stop);
  for (;;) {
    Coverage coverage(shape);
    absl::Status status =
        ReadChunks(*connection_, request, found.spec(), stop, [&](const v1::Chunk& chunk) -> absl::Status {
          const FrameBox part = ToFrameBox(chunk.box());
          if (part.t != box.t || part.c != box.c || !box.box.Contains(part.box))
            return absl::InternalError(fmt::format("the server sent a box of {} that was not asked for", volume));
          coverage.Add(part);
          CopyBox(std::as_bytes(std::span(chunk.data())).data(), part.box, voxels.data(), box.box, voxel_bytes);
          return absl::OkStatus();
        });
    if (status.ok() && coverage.voxels() == box.box.shape.voxels()) {
      retrier.Reset();
      return voxels;
    }
    if (status.ok()) status = absl::UnavailableError("the server ended the download early");
    RETURN_IF_ERROR(retrier.Pause(status));
  }
}

}  // namespace deconvoy::client

#include "worker/session/fetch_source.h"

#include <fmt/format.h>

#include "proto/contract/error.h"
#include "proto/contract/status_macros.h"
#include "proto/contract/validation.h"
#include "proto/contract/volume_layout.h"
#include "worker/session/retry.h"

namespace deconvoy::worker {
namespace {

// A minute, and as long as the bytes need at 1 MiB/s.
std::chrono::milliseconds FetchTimeout(size_t bytes) {
  return std::chrono::milliseconds(60'000 + static_cast<int64_t>(bytes / 1024));
}

// Puts a chunk where it belongs in `target`, which holds `box`. Returns the chunk's voxels.
absl::StatusOr<int64_t> Place(const v1::Chunk& chunk, const v1::VolumeSpec& spec, const FrameBox& box,
                              std::span<std::byte> target) {
  RETURN_IF_ERROR(ValidateChunk(chunk, spec));
  const FrameBox from = ToFrameBox(chunk.box());
  if (from.t != box.t || from.c != box.c || !box.box.Contains(from.box)) {
    return absl::InternalError("the server sent voxels that were not asked for");
  }
  CopyBox(reinterpret_cast<const std::byte*>(chunk.data().data()), from.box, target.data(), box.box,
          BytesPerVoxel(spec.type()));
  return from.box.shape.voxels();
}

}  // namespace

absl::Status FetchSource::Read(const v1::VolumeAccess& volume, const FrameBox& box, std::span<std::byte> target) {
  return Retry(held_.stop(), fmt::format("{}: reading {}", held_.task().name(), volume.volume()),
               [&] { return ReadOnce(volume, box, target); });
}

absl::Status FetchSource::ReadOnce(const v1::VolumeAccess& volume, const FrameBox& box, std::span<std::byte> target) {
  v1::FetchInputRequest request;
  request.set_worker(worker_);
  request.set_task(held_.task().name());
  request.set_token(held_.task().token());
  request.set_volume(volume.volume());
  *request.mutable_region() = ToProto(box);
  const auto context = link_.NewContext(FetchTimeout(target.size()));
  const StopSignal::Guard guard(held_.stop(), *context);
  const auto reader = link_.stub().FetchInput(context.get(), request);
  int64_t voxels = 0;
  absl::Status placed;
  for (v1::FetchInputResponse response; placed.ok() && reader->Read(&response);) {
    const absl::StatusOr<int64_t> more = Place(response.chunk(), volume.spec(), box, target);
    placed = more.status();
    if (more.ok()) voxels += *more;
  }
  if (!placed.ok()) context->TryCancel();
  const absl::Status status = FromGrpc(reader->Finish());
  if (!placed.ok()) return placed;
  RETURN_IF_ERROR(status);
  if (voxels == box.box.shape.voxels()) return absl::OkStatus();
  return absl::DataLossError(fmt::format("the server sent {} voxels of {}", voxels, box.box.shape.voxels()));
}

}  // namespace deconvoy::worker

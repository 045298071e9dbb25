// Sending a volume: pieces under a bounded window of unacknowledged chunks, resumed where the server misses boxes.
#include <fmt/format.h>

#include <algorithm>
#include <future>
#include <utility>

#include "client/cpp/client.h"
#include "client/cpp/connection.h"
#include "client/cpp/missing_boxes.h"
#include "client/cpp/plane.h"
#include "client/cpp/write_stream.h"
#include "proto/contract/checksum.h"
#include "proto/contract/compression.h"
#include "proto/contract/error.h"
#include "proto/contract/limits.h"
#include "proto/contract/status_macros.h"
#include "proto/contract/validation.h"
#include "proto/contract/volume_layout.h"

namespace deconvoy::client {
namespace {

constexpr int64_t kDigestedBeside = 256 << 10;  // bytes of a plane from which a thread for it pays

class Uploader {
 public:
  Uploader(Connection& connection, const v1::VolumeSpec& spec, const Shape5& shape, const PlaneSource& source,
           const TransferObserver& progress, std::stop_token stop)
      : connection_(connection),
        type_(spec.type()),
        shape_(shape),
        plane_bytes_(shape.y * shape.x * BytesPerVoxel(spec.type())),
        source_(source),
        progress_(progress),
        stop_(std::move(stop)),
        retrier_(connection.MakeRetrier(stop_)),
        announced_(spec.digest()),
        digester_(plane_bytes_),
        packer_(connection.packing.kind, connection.packing.always) {}

  // Sends everything that `volume` misses, however often the stream breaks, and finishes it.
  absl::Status Run(v1::Volume volume) {
    committed_ = static_cast<int64_t>(volume.committed_bytes());  // of an upload that is gone on with
    ASSIGN_OR_RETURN(plane_, AllocatePlane(plane_bytes_));
    if (plane_bytes_ >= kDigestedBeside) {
      ASSIGN_OR_RETURN(other_plane_, AllocatePlane(plane_bytes_));
    }
    for (;;) {
      const absl::Status status = SendMissing(volume);
      // Another upload of the same image has finished the volume meanwhile; Finish checks the digest.
      if (status.ok() || ReasonOf(status) == v1::VOLUME_COMPLETE) break;
      RETURN_IF_ERROR(retrier_.Pause(status));
      v1::GetVolumeRequest request;
      request.set_volume(volume.name());
      ASSIGN_OR_RETURN(volume,
                       connection_.Repeat(retrier_, connection_.volumes(), &v1::Volumes::Stub::Get, request, stop_));
    }
    retrier_.Reset();
    return Finish(volume.name());
  }

  // Of the volume, as far as heard.
  int64_t durable_bytes() const { return committed_; }

 private:
  absl::Status SendMissing(const v1::Volume& volume) {
    const MissingBoxes missing(volume);
    WriteStream stream(connection_, stop_);
    request_.set_volume(volume.name());
    bool broken = false;
    const absl::Status sent = ForEachPieceOfVolume([&](const FrameBox& piece) -> absl::Status {
      const bool misses = missing.Misses(piece);
      const bool digested = !announced_.empty() || LastPlane(piece) < digested_planes_;
      if (!misses && digested) return absl::OkStatus();
      RETURN_IF_ERROR(FillChunk(piece));
      if (!misses) return absl::OkStatus();
      packer_.Pack(*request_.mutable_chunk());
      if (!stream.Send(request_)) {
        broken = true;
        return absl::CancelledError("the stream is broken");
      }
      request_.clear_volume();
      Report(stream.committed_bytes());
      return absl::OkStatus();
    });
    if (!sent.ok() && !broken) return sent;
    const absl::Status closed = stream.Close();
    Report(stream.committed_bytes());
    if (broken && closed.ok()) return absl::UnavailableError("the server ended the upload early");
    return closed;
  }

  absl::Status ForEachPieceOfVolume(const std::function<absl::Status(const FrameBox&)>& visit) const {
    for (int64_t t = 0; t < shape_.t; ++t)
      for (int64_t c = 0; c < shape_.c; ++c)
        RETURN_IF_ERROR(
            ForEachPiece({t, c, {{}, shape_.frame()}}, type_, static_cast<int64_t>(limits::kChunkBytes), visit));
    return absl::OkStatus();
  }

  int64_t PlaneIndex(int64_t t, int64_t c, int64_t z) const { return (t * shape_.c + c) * shape_.z + z; }
  int64_t LastPlane(const FrameBox& piece) const { return PlaneIndex(piece.t, piece.c, piece.box.end().z - 1); }

  // Puts the piece's box, bytes and checksum into the request. Pieces are whole planes, or consecutive bytes of one.
  absl::Status FillChunk(const FrameBox& piece) {
    const int64_t voxel_bytes = BytesPerVoxel(type_);
    const Box3& box = piece.box;
    const int64_t offset = (box.origin.y * shape_.x + box.origin.x) * voxel_bytes;
    const int64_t bytes = box.shape.y * box.shape.x * voxel_bytes;
    v1::Chunk& chunk = *request_.mutable_chunk();
    *chunk.mutable_box() = ToProto(piece);
    chunk.mutable_data()->clear();
    chunk.clear_compression();
    for (int64_t z = box.origin.z; z < box.end().z; ++z) {
      RETURN_IF_ERROR(LoadPlane(piece.t, piece.c, z));
      chunk.mutable_data()->append(reinterpret_cast<const char*>(plane_.data()) + offset, static_cast<size_t>(bytes));
    }
    chunk.set_crc32c(Crc32c(std::as_bytes(std::span(chunk.data()))));
    return absl::OkStatus();
  }

  // The digest takes each plane the first time it is read: planes are first read in order.
  absl::Status LoadPlane(int64_t t, int64_t c, int64_t z) {
    const int64_t index = PlaneIndex(t, c, z);
    if (index == loaded_plane_) return absl::OkStatus();
    loaded_plane_ = -1;
    if (plane_.data() == digested_) std::swap(plane_, other_plane_);
    RETURN_IF_ERROR(source_(t, c, z, plane_));
    loaded_plane_ = index;
    if (announced_.empty() && index == digested_planes_) {
      Digest();
      ++digested_planes_;
    }
    return absl::OkStatus();
  }

  // Large planes are digested beside the sending, while the next one is read.
  void Digest() {
    if (plane_bytes_ < kDigestedBeside) return digester_.Update(plane_);
    if (digesting_.valid()) digesting_.get();
    digested_ = plane_.data();
    digesting_ = std::async(std::launch::async, [this, plane = std::span(plane_)] { digester_.Update(plane); });
  }

  void Report(int64_t committed) {
    if (committed > committed_) retrier_.Reset();
    committed_ = std::max(committed_, committed);
    if (progress_) progress_({.bytes_done = committed_, .bytes_total = VolumeBytes(shape_, type_)});
  }

  absl::Status Finish(const std::string& volume) {
    v1::FinishVolumeRequest request;
    request.set_volume(volume);
    request.set_digest(Digested());
    const auto finished =
        connection_.Call(connection_.volumes(), &v1::Volumes::Stub::Finish, request, stop_, absl::InfiniteDuration());
    // An answer that got lost: this volume has no other writer, so the digest has been checked.
    if (ReasonOf(finished.status()) == v1::VOLUME_COMPLETE) return absl::OkStatus();
    return finished.status();
  }

  // What was announced, else what was read: either must be what the server has got.
  std::string Digested() {
    if (!announced_.empty()) return announced_;
    if (digesting_.valid()) digesting_.get();
    const Sha256Digest digest = digester_.Finish();
    return {reinterpret_cast<const char*>(digest.data()), digest.size()};
  }

  Connection& connection_;
  const v1::VoxelType type_;
  const Shape5 shape_;
  const int64_t plane_bytes_;
  const PlaneSource& source_;
  const TransferObserver& progress_;
  const std::stop_token stop_;
  Retrier retrier_;

  const std::string announced_;  // digest of the volume; empty: not known before
  VolumeDigester digester_;
  Packer packer_;
  int64_t digested_planes_ = 0;
  std::vector<std::byte> plane_, other_plane_;
  const std::byte* digested_ = nullptr;  // the plane of `digesting_`, one of the two
  int64_t loaded_plane_ = -1;            // which one `plane_` holds
  v1::WriteVolumeRequest request_;
  int64_t committed_ = 0;
  std::future<void> digesting_;  // last: its thread uses the rest
};

// Why an upload ended that was stopped and can be gone on with.
absl::Status Kept(const std::string& volume, int64_t bytes) {
  return MakeError({.reason = v1::CANCELLED_BY_USER,
                    .remedy = fmt::format("Do the same again: only what is missing is sent. `deconvoy volumes delete "
                                          "{}` removes what is there.",
                                          volume),
                    .metadata = {{"volume", volume}}},
                   fmt::format("stopped on request; {} keeps the {} bytes that have been sent", volume, bytes));
}

// Removes an upload that nobody finishes, where the server takes it at once.
void RemoveRest(Connection& connection, const std::string& volume) {
  constexpr absl::Duration kPatience = absl::Seconds(1);
  v1::DeleteVolumeRequest request;
  request.set_volume(volume);
  Retrier retrier = connection.MakeQuietRetrier({.total = kPatience}, {});
  connection.Repeat(retrier, connection.volumes(), &v1::Volumes::Stub::Delete, request, {}, kPatience)
      .status()
      .IgnoreError();
}

absl::StatusOr<Client::Uploaded> Send(Connection& connection, const v1::VolumeSpec& spec, const PlaneSource& source,
                                      const TransferObserver& progress, const std::stop_token& stop) {
  RETURN_IF_ERROR(ValidateVolumeSpec(spec));
  ASSIGN_OR_RETURN(const Shape5 shape, ToShape(spec.shape(), spec.type(), "spec.shape"));
  v1::CreateVolumeRequest request;
  request.set_request_id(NewRequestId());
  *request.mutable_spec() = spec;
  ASSIGN_OR_RETURN(const v1::Volume volume,
                   connection.Create(connection.volumes(), &v1::Volumes::Stub::Create, request, stop));
  if (volume.state() == v1::COMPLETE) return Client::Uploaded{.volume = volume.name(), .found = true};
  const bool created = volume.committed_bytes() == 0;
  Uploader uploader(connection, spec, shape, source, progress, stop);
  const absl::Status status = uploader.Run(volume);
  if (status.ok()) return Client::Uploaded{.volume = volume.name(), .created = created};
  // What was announced by its digest is found again by it.
  if (stop.stop_requested() && absl::IsCancelled(status) && !spec.digest().empty() && uploader.durable_bytes() > 0)
    return Kept(volume.name(), uploader.durable_bytes());
  // One that was refused a stream for now is gone on with later.
  const bool later = IsRetryable(status) || ReasonOf(status) == v1::TOO_MANY_STREAMS;
  if (!later) RemoveRest(connection, volume.name());
  return status;
}

absl::StatusOr<std::string> DigestOf(const v1::VolumeSpec& spec, const PlaneSource& source,
                                     const TransferObserver& reading, const std::stop_token& stop) {
  RETURN_IF_ERROR(ValidateVolumeSpec(spec));
  ASSIGN_OR_RETURN(const Shape5 shape, ToShape(spec.shape(), spec.type(), "spec.shape"));
  const int64_t plane_bytes = shape.y * shape.x * BytesPerVoxel(spec.type());
  ASSIGN_OR_RETURN(std::vector<std::byte> plane, AllocatePlane(plane_bytes));
  VolumeDigester digester(plane_bytes);
  const int64_t planes = shape.frames() * shape.z;
  for (int64_t index = 0; index < planes; ++index) {
    if (stop.stop_requested()) return MakeError({.reason = v1::CANCELLED_BY_USER}, "stopped on request");
    const int64_t frame = index / shape.z;
    RETURN_IF_ERROR(source(frame / shape.c, frame % shape.c, index % shape.z, plane));
    digester.Update(plane);
    if (reading) reading({.bytes_done = (index + 1) * plane_bytes, .bytes_total = planes * plane_bytes});
  }
  const Sha256Digest digest = digester.Finish();
  return std::string(reinterpret_cast<const char*>(digest.data()), digest.size());
}

}  // namespace

absl::StatusOr<std::string> Client::Upload(const v1::VolumeSpec& spec, const PlaneSource& source,
                                           const TransferObserver& progress, std::stop_token stop) const {
  ASSIGN_OR_RETURN(Uploaded uploaded, Send(*connection_, spec, source, progress, stop));
  return std::move(uploaded.volume);
}

absl::StatusOr<Client::Uploaded> Client::UploadOnce(const v1::VolumeSpec& spec, const PlaneSource& source,
                                                    const TransferObserver& reading, const TransferObserver& progress,
                                                    std::stop_token stop) const {
  v1::VolumeSpec announced = spec;
  ASSIGN_OR_RETURN(*announced.mutable_digest(), DigestOf(spec, source, reading, stop));
  return Send(*connection_, announced, source, progress, stop);
}

}  // namespace deconvoy::client

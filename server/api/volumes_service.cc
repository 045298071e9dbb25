#include "server/api/volumes_service.h"

#include <fmt/format.h>

#include <algorithm>

#include "proto/contract/compression.h"
#include "proto/contract/error.h"
#include "proto/contract/resource_name.h"
#include "proto/contract/status_macros.h"
#include "proto/contract/validation.h"
#include "proto/contract/volume_layout.h"
#include "server/api/paging.h"
#include "server/api/upload.h"

namespace deconvoy::server {
namespace {

absl::Status NoSuchVolume(const std::string& name) {
  return MakeError({.reason = v1::NOT_FOUND, .field = "volume", .remedy = "list the volumes there are"},
                   fmt::format("there is no volume `{}`", Printable(name)));
}

// Of the voxels of a box, however they travel.
int64_t VoxelBytes(const v1::Box& box, const v1::VolumeSpec& spec) {
  return ToFrameBox(box).box.shape.voxels() * BytesPerVoxel(spec.type());
}

// What a call reads: the regions that it names, else every frame, of which there may be a million. `request` must
// outlive it.
class Regions {
 public:
  Regions(const v1::ReadVolumeRequest& request, const v1::Shape5& shape) : request_(request), shape_(shape) {}

  int64_t size() const {
    return request_.regions().empty() ? int64_t{shape_.t()} * shape_.c() : int64_t{request_.regions_size()};
  }
  v1::Box At(int64_t i) const {
    if (!request_.regions().empty()) return request_.regions(static_cast<int>(i));
    return ToProto(
        FrameBox{.t = i / shape_.c(), .c = i % shape_.c(), .box = {{}, {shape_.z(), shape_.y(), shape_.x()}}});
  }

 private:
  const v1::ReadVolumeRequest& request_;
  const v1::Shape5 shape_;
};

bool IsOfWholePlanes(const v1::Box& region, const v1::Shape5& shape) {
  return region.size_y() == shape.y() && region.size_x() == shape.x();
}

// How to pack what the caller reads: the first way of those it accepts that is known here.
v1::Compression PreferredOf(const v1::ReadVolumeRequest& request) {
  for (const int accepted : request.accept()) {
    if (accepted == v1::ZSTD || accepted == v1::LZ4) return static_cast<v1::Compression>(accepted);
  }
  return v1::COMPRESSION_UNSPECIFIED;
}

// For the log: the caller hears that the call was cancelled.
absl::Status OrIdle(absl::Status status, const IdleStreams::Watched& watched, const IdleStreams& streams) {
  if (!watched.ended()) return status;
  return absl::DeadlineExceededError(fmt::format("nothing has moved for {} ms", streams.allowed().count()));
}

}  // namespace

absl::StatusOr<VolumeRecord> VolumesService::Find(const std::string& owner, const std::string& name) {
  ASSIGN_OR_RETURN(const std::string id, VolumeId(name, "volume"));
  absl::StatusOr<VolumeRecord> record = store_.GetVolume(id);
  if (absl::IsNotFound(record.status()) || (record.ok() && record->owner != owner)) return NoSuchVolume(name);
  return record;
}

grpc::Status VolumesService::StreamedCreate(grpc::ServerContext* context,
                                            Unary<v1::CreateVolumeRequest, v1::Volume>* stream) {
  Call call(door_, Call::kUser, "Volumes.Create", *context);
  return call.Answer(stream, [&](const v1::CreateVolumeRequest& request) -> absl::StatusOr<v1::Volume> {
    call.About(request.spec().display_name());
    RETURN_IF_ERROR(door_.CheckOpen());
    RETURN_IF_ERROR(ValidateRequestId(request.request_id()));
    RETURN_IF_ERROR(ValidateVolumeSpec(request.spec()));
    return volumes_.Create(call.owner(), request);
  });
}

grpc::Status VolumesService::Write(grpc::ServerContext* context, WriteStream* stream) {
  Call call(door_, Call::kUser, "Volumes.Write", *context);
  return call.Run([&] {
    IdleStreams::Watched watched(door_.streams(), [context] { context->TryCancel(); });
    return OrIdle(TakeChunks(call, *stream, watched), watched, door_.streams());
  });
}

absl::Status VolumesService::TakeChunks(Call& call, WriteStream& stream, IdleStreams::Watched& watched) {
  v1::WriteVolumeRequest message;
  Heard heard = Hear(stream, message);
  if (heard != Heard::kMessage) return heard == Heard::kEnd ? absl::OkStatus() : UnreadMessage();
  const std::string name = message.volume();
  call.About(name);
  ASSIGN_OR_RETURN(const VolumeRecord record, Find(call.owner(), name));
  ASSIGN_OR_RETURN(const std::unique_ptr<VolumeWriter> writer, volumes_.Write(record.id));
  Upload upload(*writer, [&](int64_t chunks) {
    const auto volume = volumes_.Get(record.id, false);
    v1::WriteVolumeResponse answer;
    answer.set_chunks_committed(static_cast<uint64_t>(chunks));
    answer.set_committed_bytes(volume.ok() ? volume->committed_bytes() : 0);
    return stream.Write(answer);
  });
  absl::Status status;
  do {
    watched.Touch();
    if (!message.volume().empty() && message.volume() != name) {
      status = MakeError({.reason = v1::INVALID_FIELD, .field = "volume", .remedy = "open one stream per volume"},
                         fmt::format("the stream writes `{}`, but a later message names `{}`", Printable(name),
                                     Printable(message.volume())));
    } else if (message.has_chunk()) {
      status = Unpack(*message.mutable_chunk(), record.spec);
      if (status.ok()) status = upload.Add(message.chunk());
      if (status.ok()) usage_.Add(call.owner(), VoxelBytes(message.chunk().box(), record.spec), 0);
    }
    if (status.ok()) heard = Hear(stream, message);
    if (heard == Heard::kUnread) status = UnreadMessage();
  } while (status.ok() && heard == Heard::kMessage);
  // What came before an error is good, and its acknowledgement spares sending it again.
  const absl::Status finished = upload.Finish();
  return status.ok() ? finished : status;
}

grpc::Status VolumesService::StreamedFinish(grpc::ServerContext* context,
                                            Unary<v1::FinishVolumeRequest, v1::Volume>* stream) {
  Call call(door_, Call::kUser, "Volumes.Finish", *context);
  return call.Answer(stream, [&](const v1::FinishVolumeRequest& request) -> absl::StatusOr<v1::Volume> {
    call.About(request.volume());
    ASSIGN_OR_RETURN(const VolumeRecord record, Find(call.owner(), request.volume()));
    return volumes_.Finish(record.id, request.digest());
  });
}

grpc::Status VolumesService::StreamedGet(grpc::ServerContext* context,
                                         Unary<v1::GetVolumeRequest, v1::Volume>* stream) {
  Call call(door_, Call::kUser, "Volumes.Get", *context);
  return call.Answer(stream, [&](const v1::GetVolumeRequest& request) -> absl::StatusOr<v1::Volume> {
    call.About(request.volume());
    ASSIGN_OR_RETURN(const VolumeRecord record, Find(call.owner(), request.volume()));
    return volumes_.Get(record.id, true);
  });
}

grpc::Status VolumesService::StreamedRead(grpc::ServerContext* context,
                                          Split<v1::ReadVolumeRequest, v1::ReadVolumeResponse>* stream) {
  Call call(door_, Call::kUser, "Volumes.Read", *context);
  return call.Stream(stream, [&](const v1::ReadVolumeRequest& request) -> absl::Status {
    call.About(request.volume());
    ASSIGN_OR_RETURN(const VolumeRecord record, Find(call.owner(), request.volume()));
    const Regions regions(request, record.spec.shape());
    v1::ReadVolumeResponse message;
    Packer packer(PreferredOf(request));
    bool heard = true;
    const bool whole_planes = std::ranges::all_of(
        request.regions(), [&](const v1::Box& region) { return IsOfWholePlanes(region, record.spec.shape()); });
    IdleStreams::Watched watched(door_.streams(), [context] { context->TryCancel(); });
    const auto send = [&](v1::Chunk& chunk) {
      watched.Touch();
      const FrameBox box = ToFrameBox(chunk.box());
      packer.Pack(chunk);
      message.mutable_chunk()->Swap(&chunk);
      heard = stream->Write(message);
      message.mutable_chunk()->Swap(&chunk);
      if (!heard) return false;
      usage_.Add(call.owner(), 0, VoxelBytes(chunk.box(), record.spec));
      // What is followed comes in no order.
      if (whole_planes && !request.follow()) volumes_.NoteSent(record, box);
      return true;
    };
    absl::Status status;
    if (request.follow()) {
      // Who waits for what is not written yet is not idle; who does not take what is there is.
      status = volumes_.Follow(record.id, {request.regions().begin(), request.regions().end()}, send, [&] {
        watched.Touch();
        return call.gone();
      });
      for (int64_t i = 0; i < regions.size() && status.ok() && heard && whole_planes; ++i) {
        volumes_.NoteSent(record, ToFrameBox(regions.At(i)));
      }
    }
    for (int64_t i = 0; i < regions.size() && heard && status.ok() && !request.follow(); ++i) {
      status = volumes_.Read(record.id, regions.At(i), send);
    }
    if (status.ok() && !heard) status = absl::CancelledError("the reader left");
    return OrIdle(status, watched, door_.streams());
  });
}

absl::StatusOr<std::string> VolumesService::Submit(const std::string& owner, const v1::SubmitJobRequest& request) {
  RETURN_IF_ERROR(door_.CheckOpen());
  RETURN_IF_ERROR(ValidateRequestId(request.request_id()));
  RETURN_IF_ERROR(ValidateJobSpec(request.spec()));
  ASSIGN_OR_RETURN(const v1::Job job, jobs_.Submit(owner, request));
  return job.name();
}

grpc::Status VolumesService::StreamedImport(grpc::ServerContext* context,
                                            Unary<v1::ImportVolumeRequest, v1::ImportVolumeResponse>* stream) {
  Call call(door_, Call::kUser, "Volumes.Import", *context);
  return call.Answer(stream, [&](const v1::ImportVolumeRequest& request) -> absl::StatusOr<v1::ImportVolumeResponse> {
    call.About(request.file());
    v1::ImportVolumeResponse response;
    v1::SubmitJobRequest submit;
    submit.set_request_id(request.request_id());
    v1::ImportSpec& spec = *submit.mutable_spec()->mutable_import_file();
    spec.set_file(request.file());
    spec.set_display_name(request.display_name());
    if (request.has_voxel_size()) *spec.mutable_voxel_size() = request.voxel_size();
    ASSIGN_OR_RETURN(*response.mutable_job(), Submit(call.owner(), submit));
    return response;
  });
}

grpc::Status VolumesService::StreamedExport(grpc::ServerContext* context,
                                            Unary<v1::ExportVolumeRequest, v1::ExportVolumeResponse>* stream) {
  Call call(door_, Call::kUser, "Volumes.Export", *context);
  return call.Answer(stream, [&](const v1::ExportVolumeRequest& request) -> absl::StatusOr<v1::ExportVolumeResponse> {
    call.About(fmt::format("{} to {}", request.volume(), request.file()));
    v1::ExportVolumeResponse response;
    v1::SubmitJobRequest submit;
    submit.set_request_id(request.request_id());
    v1::ExportSpec& spec = *submit.mutable_spec()->mutable_export_file();
    spec.set_volume(request.volume());
    spec.set_file(request.file());
    spec.set_overwrite(request.overwrite());
    spec.set_compression(request.compression());
    ASSIGN_OR_RETURN(*response.mutable_job(), Submit(call.owner(), submit));
    return response;
  });
}

grpc::Status VolumesService::StreamedList(grpc::ServerContext* context,
                                          Unary<v1::ListVolumesRequest, v1::ListVolumesResponse>* stream) {
  Call call(door_, Call::kUser, "Volumes.List", *context);
  return call.Answer(stream, [&](const v1::ListVolumesRequest& request) { return ListPage(call.owner(), request); });
}

absl::StatusOr<v1::ListVolumesResponse> VolumesService::ListPage(const std::string& owner,
                                                                 const v1::ListVolumesRequest& request) {
  ASSIGN_OR_RETURN(const Page<VolumeRecord> page,
                   store_.ListVolumes(owner, static_cast<int>(PageSize(request.page_size())), request.page_token()));
  v1::ListVolumesResponse response;
  for (const VolumeRecord& record : page.items) {
    absl::StatusOr<v1::Volume> volume = volumes_.Get(record.id, false);
    if (absl::IsNotFound(volume.status())) continue;  // deleted meanwhile
    RETURN_IF_ERROR(volume.status());
    *response.add_volumes() = *std::move(volume);
  }
  response.set_next_page_token(page.next_token);
  return response;
}

grpc::Status VolumesService::StreamedDelete(grpc::ServerContext* context,
                                            Unary<v1::DeleteVolumeRequest, v1::DeleteVolumeResponse>* stream) {
  Call call(door_, Call::kUser, "Volumes.Delete", *context);
  return call.Answer(stream, [&](const v1::DeleteVolumeRequest& request) -> absl::StatusOr<v1::DeleteVolumeResponse> {
    call.About(request.volume());
    ASSIGN_OR_RETURN(const VolumeRecord record, Find(call.owner(), request.volume()));
    RETURN_IF_ERROR(volumes_.Delete(record.id));
    return v1::DeleteVolumeResponse();
  });
}

}  // namespace deconvoy::server

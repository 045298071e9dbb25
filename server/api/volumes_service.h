// The Volumes service: see volumes.proto.
#pragma once

#include <absl/status/statusor.h>

#include <string>

#include "deconvoy/v1/volumes.grpc.pb.h"
#include "server/api/call.h"
#include "server/jobs/job_manager.h"
#include "server/jobs/usage_meter.h"
#include "server/spool/volume_store.h"
#include "server/store/store.h"

namespace deconvoy::server {

// The arguments must outlive the service.
class VolumesService final : public v1::Volumes::StreamedService {
 public:
  VolumesService(Door& door, Store& store, VolumeStore& volumes, JobManager& jobs, UsageMeter& usage)
      : door_(door), store_(store), volumes_(volumes), jobs_(jobs), usage_(usage) {}

  grpc::Status StreamedCreate(grpc::ServerContext* context,
                              Unary<v1::CreateVolumeRequest, v1::Volume>* stream) override;
  grpc::Status Write(grpc::ServerContext* context,
                     grpc::ServerReaderWriter<v1::WriteVolumeResponse, v1::WriteVolumeRequest>* stream) override;
  grpc::Status StreamedFinish(grpc::ServerContext* context,
                              Unary<v1::FinishVolumeRequest, v1::Volume>* stream) override;
  grpc::Status StreamedGet(grpc::ServerContext* context, Unary<v1::GetVolumeRequest, v1::Volume>* stream) override;
  grpc::Status StreamedRead(grpc::ServerContext* context,
                            Split<v1::ReadVolumeRequest, v1::ReadVolumeResponse>* stream) override;
  grpc::Status StreamedImport(grpc::ServerContext* context,
                              Unary<v1::ImportVolumeRequest, v1::ImportVolumeResponse>* stream) override;
  grpc::Status StreamedExport(grpc::ServerContext* context,
                              Unary<v1::ExportVolumeRequest, v1::ExportVolumeResponse>* stream) override;
  grpc::Status StreamedList(grpc::ServerContext* context,
                            Unary<v1::ListVolumesRequest, v1::ListVolumesResponse>* stream) override;
  grpc::Status StreamedDelete(grpc::ServerContext* context,
                              Unary<v1::DeleteVolumeRequest, v1::DeleteVolumeResponse>* stream) override;

 private:
  using WriteStream = grpc::ServerReaderWriter<v1::WriteVolumeResponse, v1::WriteVolumeRequest>;

  // The volume named `name` if `owner` has it, else NOT_FOUND.
  absl::StatusOr<VolumeRecord> Find(const std::string& owner, const std::string& name);
  absl::Status TakeChunks(Call& call, WriteStream& stream, IdleStreams::Watched& watched);
  // The name of the job, accepted as Jobs.Submit does it.
  absl::StatusOr<std::string> Submit(const std::string& owner, const v1::SubmitJobRequest& request);
  absl::StatusOr<v1::ListVolumesResponse> ListPage(const std::string& owner, const v1::ListVolumesRequest& request);

  Door& door_;
  Store& store_;
  VolumeStore& volumes_;
  JobManager& jobs_;
  UsageMeter& usage_;
};

}  // namespace deconvoy::server

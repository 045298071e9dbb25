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
class VolumesService final : public v1::Volumes::Service {
 public:
  VolumesService(Door& door, Store& store, VolumeStore& volumes, JobManager& jobs, UsageMeter& usage)
      : door_(door), store_(store), volumes_(volumes), jobs_(jobs), usage_(usage) {}

  grpc::Status Create(grpc::ServerContext* context, const v1::CreateVolumeRequest* request,
                      v1::Volume* response) override;
  grpc::Status Write(grpc::ServerContext* context,
                     grpc::ServerReaderWriter<v1::WriteVolumeResponse, v1::WriteVolumeRequest>* stream) override;
  grpc::Status Finish(grpc::ServerContext* context, const v1::FinishVolumeRequest* request,
                      v1::Volume* response) override;
  grpc::Status Get(grpc::ServerContext* context, const v1::GetVolumeRequest* request, v1::Volume* response) override;
  grpc::Status Read(grpc::ServerContext* context, const v1::ReadVolumeRequest* request,
                    grpc::ServerWriter<v1::ReadVolumeResponse>* writer) override;
  grpc::Status Import(grpc::ServerContext* context, const v1::ImportVolumeRequest* request,
                      v1::ImportVolumeResponse* response) override;
  grpc::Status Export(grpc::ServerContext* context, const v1::ExportVolumeRequest* request,
                      v1::ExportVolumeResponse* response) override;
  grpc::Status List(grpc::ServerContext* context, const v1::ListVolumesRequest* request,
                    v1::ListVolumesResponse* response) override;
  grpc::Status Delete(grpc::ServerContext* context, const v1::DeleteVolumeRequest* request,
                      v1::DeleteVolumeResponse* response) override;

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

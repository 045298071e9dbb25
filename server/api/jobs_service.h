// The Jobs service: see jobs.proto.
#pragma once

#include "deconvoy/v1/jobs.grpc.pb.h"
#include "server/api/call.h"
#include "server/jobs/job_manager.h"

namespace deconvoy::server {

// The arguments must outlive the service.
class JobsService final : public v1::Jobs::Service {
 public:
  JobsService(Door& door, JobManager& jobs) : door_(door), jobs_(jobs) {}

  grpc::Status Submit(grpc::ServerContext* context, const v1::SubmitJobRequest* request, v1::Job* response) override;
  grpc::Status Preflight(grpc::ServerContext* context, const v1::PreflightRequest* request,
                         v1::PreflightReport* response) override;
  grpc::Status Get(grpc::ServerContext* context, const v1::GetJobRequest* request, v1::Job* response) override;
  grpc::Status List(grpc::ServerContext* context, const v1::ListJobsRequest* request,
                    v1::ListJobsResponse* response) override;
  grpc::Status Watch(grpc::ServerContext* context, const v1::WatchJobRequest* request,
                     grpc::ServerWriter<v1::JobEvent>* writer) override;
  grpc::Status Cancel(grpc::ServerContext* context, const v1::CancelJobRequest* request, v1::Job* response) override;
  grpc::Status GetPreview(grpc::ServerContext* context, const v1::GetPreviewRequest* request,
                          v1::Preview* response) override;
  grpc::Status Pause(grpc::ServerContext* context, const v1::PauseJobRequest* request, v1::Job* response) override;
  grpc::Status Resume(grpc::ServerContext* context, const v1::ResumeJobRequest* request, v1::Job* response) override;
  grpc::Status Delete(grpc::ServerContext* context, const v1::DeleteJobRequest* request,
                      v1::DeleteJobResponse* response) override;

 private:
  Door& door_;
  JobManager& jobs_;
};

}  // namespace deconvoy::server

// The Jobs service: see jobs.proto.
#pragma once

#include "deconvoy/v1/jobs.grpc.pb.h"
#include "server/api/call.h"
#include "server/jobs/job_manager.h"

namespace deconvoy::server {

// The arguments must outlive the service.
class JobsService final : public v1::Jobs::StreamedService {
 public:
  JobsService(Door& door, JobManager& jobs) : door_(door), jobs_(jobs) {}

  grpc::Status StreamedSubmit(grpc::ServerContext* context, Unary<v1::SubmitJobRequest, v1::Job>* stream) override;
  grpc::Status StreamedPreflight(grpc::ServerContext* context,
                                 Unary<v1::PreflightRequest, v1::PreflightReport>* stream) override;
  grpc::Status StreamedGet(grpc::ServerContext* context, Unary<v1::GetJobRequest, v1::Job>* stream) override;
  grpc::Status StreamedList(grpc::ServerContext* context,
                            Unary<v1::ListJobsRequest, v1::ListJobsResponse>* stream) override;
  grpc::Status StreamedWatch(grpc::ServerContext* context, Split<v1::WatchJobRequest, v1::JobEvent>* stream) override;
  grpc::Status StreamedCancel(grpc::ServerContext* context, Unary<v1::CancelJobRequest, v1::Job>* stream) override;
  grpc::Status StreamedGetPreview(grpc::ServerContext* context,
                                  Unary<v1::GetPreviewRequest, v1::Preview>* stream) override;
  grpc::Status StreamedPause(grpc::ServerContext* context, Unary<v1::PauseJobRequest, v1::Job>* stream) override;
  grpc::Status StreamedResume(grpc::ServerContext* context, Unary<v1::ResumeJobRequest, v1::Job>* stream) override;
  grpc::Status StreamedDelete(grpc::ServerContext* context,
                              Unary<v1::DeleteJobRequest, v1::DeleteJobResponse>* stream) override;

 private:
  Door& door_;
  JobManager& jobs_;
};

}  // namespace deconvoy::server

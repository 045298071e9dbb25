#include "server/api/jobs_service.h"

#include <fmt/format.h>

#include <string>

#include "proto/contract/resource_name.h"
#include "proto/contract/status_macros.h"
#include "proto/contract/validation.h"
#include "server/api/paging.h"
#include "server/auth/permissions.h"

namespace deconvoy::server {

namespace {

// As what the call counts in logs: files of the server are read and written under the eyes of its audit log.
const char* RpcOf(const v1::JobSpec& spec) {
  return spec.has_import_file() ? "Volumes.Import" : spec.has_export_file() ? "Volumes.Export" : "Jobs.Submit";
}

std::string SubjectOf(const v1::JobSpec& spec) {
  if (spec.has_import_file()) return spec.import_file().file();
  if (!spec.has_export_file()) return spec.display_name();
  return fmt::format("{} to {}", spec.export_file().volume(), spec.export_file().file());
}

}  // namespace

grpc::Status JobsService::StreamedSubmit(grpc::ServerContext* context, Unary<v1::SubmitJobRequest, v1::Job>* stream) {
  Call call(door_, Call::kUser, "Jobs.Submit", *context);
  return call.Answer(stream, [&](const v1::SubmitJobRequest& request) -> absl::StatusOr<v1::Job> {
    call.CountAs(RpcOf(request.spec()));
    call.About(SubjectOf(request.spec()));
    RETURN_IF_ERROR(door_.CheckOpen());
    RETURN_IF_ERROR(ValidateRequestId(request.request_id()));
    RETURN_IF_ERROR(ValidateJobSpec(request.spec()));
    RETURN_IF_ERROR(CheckWork(call.caller(), request.spec()));
    return jobs_.Submit(call.owner(), request);
  });
}

grpc::Status JobsService::StreamedPreflight(grpc::ServerContext* context,
                                            Unary<v1::PreflightRequest, v1::PreflightReport>* stream) {
  Call call(door_, Call::kUser, "Jobs.Preflight", *context);
  return call.Answer(stream, [&](const v1::PreflightRequest& request) -> absl::StatusOr<v1::PreflightReport> {
    call.About(request.spec().display_name());
    RETURN_IF_ERROR(CheckWork(call.caller(), request.spec()));
    return jobs_.Preflight(call.owner(), request.spec());
  });
}

grpc::Status JobsService::StreamedGet(grpc::ServerContext* context, Unary<v1::GetJobRequest, v1::Job>* stream) {
  Call call(door_, Call::kUser, "Jobs.Get", *context);
  return call.Answer(stream, [&](const v1::GetJobRequest& request) -> absl::StatusOr<v1::Job> {
    call.About(request.job());
    ASSIGN_OR_RETURN(const std::string id, JobId(request.job(), "job"));
    return jobs_.Get(call.owner(), id);
  });
}

grpc::Status JobsService::StreamedList(grpc::ServerContext* context,
                                       Unary<v1::ListJobsRequest, v1::ListJobsResponse>* stream) {
  Call call(door_, Call::kUser, "Jobs.List", *context);
  return call.Answer(stream, [&](const v1::ListJobsRequest& request) {
    v1::ListJobsRequest bounded = request;
    bounded.set_page_size(PageSize(request.page_size()));
    return jobs_.List(call.owner(), bounded);
  });
}

grpc::Status JobsService::StreamedWatch(grpc::ServerContext* context,
                                        Split<v1::WatchJobRequest, v1::JobEvent>* stream) {
  Call call(door_, Call::kUser, "Jobs.Watch", *context);
  return call.Stream(stream, [&](const v1::WatchJobRequest& request) -> absl::Status {
    call.About(request.job());
    ASSIGN_OR_RETURN(const std::string id, JobId(request.job(), "job"));
    return jobs_.Watch(
        call.owner(), id, request.after_sequence(), [&](const v1::JobEvent& event) { return stream->Write(event); },
        [&] { return call.gone(); });
  });
}

grpc::Status JobsService::StreamedCancel(grpc::ServerContext* context, Unary<v1::CancelJobRequest, v1::Job>* stream) {
  Call call(door_, Call::kUser, "Jobs.Cancel", *context);
  return call.Answer(stream, [&](const v1::CancelJobRequest& request) -> absl::StatusOr<v1::Job> {
    call.About(request.job());
    ASSIGN_OR_RETURN(const std::string id, JobId(request.job(), "job"));
    return jobs_.Cancel(call.owner(), id);
  });
}

grpc::Status JobsService::StreamedGetPreview(grpc::ServerContext* context,
                                             Unary<v1::GetPreviewRequest, v1::Preview>* stream) {
  Call call(door_, Call::kUser, "Jobs.GetPreview", *context);
  return call.Answer(stream, [&](const v1::GetPreviewRequest& request) -> absl::StatusOr<v1::Preview> {
    call.About(request.job());
    ASSIGN_OR_RETURN(const std::string id, JobId(request.job(), "job"));
    return jobs_.GetPreview(call.owner(), id, request.c());
  });
}

grpc::Status JobsService::StreamedPause(grpc::ServerContext* context, Unary<v1::PauseJobRequest, v1::Job>* stream) {
  Call call(door_, Call::kUser, "Jobs.Pause", *context);
  return call.Answer(stream, [&](const v1::PauseJobRequest& request) -> absl::StatusOr<v1::Job> {
    call.About(request.job());
    ASSIGN_OR_RETURN(const std::string id, JobId(request.job(), "job"));
    return jobs_.Pause(call.owner(), id);
  });
}

grpc::Status JobsService::StreamedResume(grpc::ServerContext* context, Unary<v1::ResumeJobRequest, v1::Job>* stream) {
  Call call(door_, Call::kUser, "Jobs.Resume", *context);
  return call.Answer(stream, [&](const v1::ResumeJobRequest& request) -> absl::StatusOr<v1::Job> {
    call.About(request.job());
    ASSIGN_OR_RETURN(const std::string id, JobId(request.job(), "job"));
    return jobs_.Resume(call.owner(), id);
  });
}

grpc::Status JobsService::StreamedDelete(grpc::ServerContext* context,
                                         Unary<v1::DeleteJobRequest, v1::DeleteJobResponse>* stream) {
  Call call(door_, Call::kUser, "Jobs.Delete", *context);
  return call.Answer(stream, [&](const v1::DeleteJobRequest& request) -> absl::StatusOr<v1::DeleteJobResponse> {
    call.About(request.job());
    ASSIGN_OR_RETURN(const std::string id, JobId(request.job(), "job"));
    RETURN_IF_ERROR(jobs_.Delete(call.owner(), id));
    return v1::DeleteJobResponse();
  });
}

}  // namespace deconvoy::server

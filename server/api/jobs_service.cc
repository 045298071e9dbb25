#include "server/api/jobs_service.h"

#include <fmt/format.h>

#include <string>

#include "proto/contract/resource_name.h"
#include "proto/contract/status_macros.h"
#include "proto/contract/validation.h"
#include "server/api/paging.h"
#include "server/auth/permissions.h"

namespace deconvoy::server {

constexpr auto kUser = Call::From::kUser;

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

grpc::Status JobsService::Submit(grpc::ServerContext* context, const v1::SubmitJobRequest* request, v1::Job* response) {
  Call call(door_, kUser, RpcOf(request->spec()), *context, SubjectOf(request->spec()));
  return call.Answer(response, [&]() -> absl::StatusOr<v1::Job> {
    RETURN_IF_ERROR(door_.CheckOpen());
    RETURN_IF_ERROR(ValidateRequestId(request->request_id()));
    RETURN_IF_ERROR(ValidateJobSpec(request->spec()));
    RETURN_IF_ERROR(CheckWork(call.caller(), request->spec()));
    return jobs_.Submit(call.owner(), *request);
  });
}

grpc::Status JobsService::Preflight(grpc::ServerContext* context, const v1::PreflightRequest* request,
                                    v1::PreflightReport* response) {
  Call call(door_, kUser, "Jobs.Preflight", *context, request->spec().display_name());
  return call.Answer(response, [&]() -> absl::StatusOr<v1::PreflightReport> {
    RETURN_IF_ERROR(CheckWork(call.caller(), request->spec()));
    return jobs_.Preflight(call.owner(), request->spec());
  });
}

grpc::Status JobsService::Get(grpc::ServerContext* context, const v1::GetJobRequest* request, v1::Job* response) {
  Call call(door_, kUser, "Jobs.Get", *context, request->job());
  return call.Answer(response, [&]() -> absl::StatusOr<v1::Job> {
    ASSIGN_OR_RETURN(const std::string id, JobId(request->job(), "job"));
    return jobs_.Get(call.owner(), id);
  });
}

grpc::Status JobsService::List(grpc::ServerContext* context, const v1::ListJobsRequest* request,
                               v1::ListJobsResponse* response) {
  Call call(door_, kUser, "Jobs.List", *context);
  return call.Answer(response, [&] {
    v1::ListJobsRequest bounded = *request;
    bounded.set_page_size(PageSize(request->page_size()));
    return jobs_.List(call.owner(), bounded);
  });
}

grpc::Status JobsService::Watch(grpc::ServerContext* context, const v1::WatchJobRequest* request,
                                grpc::ServerWriter<v1::JobEvent>* writer) {
  Call call(door_, kUser, "Jobs.Watch", *context, request->job());
  return call.Run([&]() -> absl::Status {
    ASSIGN_OR_RETURN(const std::string id, JobId(request->job(), "job"));
    return jobs_.Watch(
        call.owner(), id, request->after_sequence(), [&](const v1::JobEvent& event) { return writer->Write(event); },
        [&] { return call.gone(); });
  });
}

grpc::Status JobsService::Cancel(grpc::ServerContext* context, const v1::CancelJobRequest* request, v1::Job* response) {
  Call call(door_, kUser, "Jobs.Cancel", *context, request->job());
  return call.Answer(response, [&]() -> absl::StatusOr<v1::Job> {
    ASSIGN_OR_RETURN(const std::string id, JobId(request->job(), "job"));
    return jobs_.Cancel(call.owner(), id);
  });
}

grpc::Status JobsService::GetPreview(grpc::ServerContext* context, const v1::GetPreviewRequest* request,
                                     v1::Preview* response) {
  Call call(door_, kUser, "Jobs.GetPreview", *context, request->job());
  return call.Answer(response, [&]() -> absl::StatusOr<v1::Preview> {
    ASSIGN_OR_RETURN(const std::string id, JobId(request->job(), "job"));
    return jobs_.GetPreview(call.owner(), id, request->c());
  });
}

grpc::Status JobsService::Pause(grpc::ServerContext* context, const v1::PauseJobRequest* request, v1::Job* response) {
  Call call(door_, kUser, "Jobs.Pause", *context, request->job());
  return call.Answer(response, [&]() -> absl::StatusOr<v1::Job> {
    ASSIGN_OR_RETURN(const std::string id, JobId(request->job(), "job"));
    return jobs_.Pause(call.owner(), id);
  });
}

grpc::Status JobsService::Resume(grpc::ServerContext* context, const v1::ResumeJobRequest* request, v1::Job* response) {
  Call call(door_, kUser, "Jobs.Resume", *context, request->job());
  return call.Answer(response, [&]() -> absl::StatusOr<v1::Job> {
    ASSIGN_OR_RETURN(const std::string id, JobId(request->job(), "job"));
    return jobs_.Resume(call.owner(), id);
  });
}

grpc::Status JobsService::Delete(grpc::ServerContext* context, const v1::DeleteJobRequest* request,
                                 v1::DeleteJobResponse* /*response*/) {
  Call call(door_, kUser, "Jobs.Delete", *context, request->job());
  return call.Run([&]() -> absl::Status {
    ASSIGN_OR_RETURN(const std::string id, JobId(request->job(), "job"));
    return jobs_.Delete(call.owner(), id);
  });
}

}  // namespace deconvoy::server

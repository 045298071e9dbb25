#include "server/jobs/model_library.h"

#include <fmt/format.h>

#include <optional>
#include <utility>
#include <vector>

#include "proto/contract/error.h"
#include "proto/contract/model_spec.h"
#include "proto/contract/resource_name.h"
#include "proto/contract/status_macros.h"
#include "server/jobs/job_state.h"
#include "server/store/request_digest.h"

namespace deconvoy::server {
namespace {

// The volume that holds the file of which the job has found the facts; empty for a job of another kind.
std::string FileOf(const v1::Job& job) {
  if (job.spec().has_check_model()) return job.spec().check_model().model_volume();
  return job.spec().has_train_model() && !job.outputs().empty() ? job.outputs(0).volume() : "";
}

absl::Status CheckJob(const JobRecord& job) {
  const v1::JobSpec& spec = job.job.spec();
  if (!spec.has_train_model() && !spec.has_check_model()) {
    return MakeError({.reason = v1::INVALID_FIELD,
                      .field = "job",
                      .remedy = "Name a job that trains or checks a model: `deconvoy models train`, `models import`."},
                     fmt::format("{} neither trains nor checks a model", JobName(job.id)));
  }
  if (job.state == v1::SUCCEEDED) return absl::OkStatus();
  return MakeError({.reason = IsEnd(job.state) ? v1::JOB_ENDED : v1::JOB_NOT_ENDED,
                    .field = "job",
                    .remedy = "Wait until it has succeeded, or run it again."},
                   fmt::format("{} has not succeeded: it is {}", JobName(job.id), v1::JobState_Name(job.state)));
}

}  // namespace

absl::StatusOr<v1::Model> ModelLibrary::AnswerAgain(const Store::RequestRecord& earlier, const std::string& body_digest,
                                                    const std::string& request_id) {
  if (earlier.body_digest != body_digest) {
    return MakeError({.reason = v1::REQUEST_ID_REUSED,
                      .field = "request_id",
                      .remedy = "Choose a new request id for a new request."},
                     fmt::format("request id \"{}\" has been used for another request", Printable(request_id)));
  }
  ASSIGN_OR_RETURN(std::optional<ModelRecord> model, store_.FindModelOfVolume(earlier.resource_id));
  if (model) return std::move(model->model);
  return MakeError({.reason = v1::NOT_FOUND}, "the model that this request has made is gone");
}

absl::StatusOr<ModelRecord> ModelLibrary::MakeRecord(const std::string& owner, const v1::CreateModelRequest& request) {
  ASSIGN_OR_RETURN(const std::string job_id, JobId(request.job(), "job"));
  const absl::StatusOr<JobRecord> job = store_.GetJob(job_id);
  if (!job.ok() && ReasonOf(job.status()) != v1::NOT_FOUND) return job.status();
  if (!job.ok() || job->owner != owner) {
    return MakeError({.reason = v1::NOT_FOUND, .field = "job", .remedy = "`deconvoy jobs` tells which there are."},
                     fmt::format("there is no job \"{}\"", request.job()));
  }
  RETURN_IF_ERROR(CheckJob(*job));
  ASSIGN_OR_RETURN(std::string volume_id, VolumeId(FileOf(job->job), "job"));
  ModelRecord record{.owner = owner,
                     .id = request.model_id(),
                     .volume_id = std::move(volume_id),
                     .model = {},
                     .create_time = clock_.Wall()};
  record.model.set_description(request.description());
  record.model.set_job(request.job());
  *record.model.mutable_facts() = job->job.model();
  return record;
}

absl::StatusOr<v1::Model> ModelLibrary::Create(const std::string& owner, const v1::CreateModelRequest& request) {
  RETURN_IF_ERROR(ValidateCreateModel(request));
  const std::string body_digest = DigestOfRequest(request);
  ASSIGN_OR_RETURN(auto earlier, store_.FindRequest(owner, request.request_id()));
  if (earlier) return AnswerAgain(*earlier, body_digest, request.request_id());
  ASSIGN_OR_RETURN(ModelRecord record, MakeRecord(owner, request));
  CrashPoint("model-before-insert");
  absl::StatusOr<ModelRecord> kept = store_.InsertModel(std::move(record), request.request_id(), body_digest);
  CrashPoint("model-after-insert");
  if (ReasonOf(kept.status()) == v1::REQUEST_ID_REUSED) {
    // The same request has come in twice at once, and the other one was first.
    ASSIGN_OR_RETURN(earlier, store_.FindRequest(owner, request.request_id()));
    if (earlier) return AnswerAgain(*earlier, body_digest, request.request_id());
  }
  if (!kept.ok()) return kept.status();
  return std::move(kept->model);
}

absl::StatusOr<v1::Model> ModelLibrary::Get(const std::string& owner, const std::string& name) {
  ASSIGN_OR_RETURN(const ModelId id, ParseModelName(name, "model"));
  ASSIGN_OR_RETURN(ModelRecord record, store_.GetModel(owner, id.id, id.version));
  return std::move(record.model);
}

absl::StatusOr<v1::ListModelsResponse> ModelLibrary::List(const std::string& owner,
                                                          const v1::ListModelsRequest& request) {
  ModelId id;
  if (!request.model().empty()) {
    ASSIGN_OR_RETURN(id, ParseModelName(request.model(), "model"));
  }
  if (id.version != 0) {
    return MakeError({.reason = v1::INVALID_FIELD,
                      .field = "model",
                      .remedy = "Give `models/{id}` for all its versions, or Get one."},
                     fmt::format("`model` is `{}`, one version", request.model()));
  }
  ASSIGN_OR_RETURN(Page<ModelRecord> page,
                   store_.ListModels(owner, id.id, static_cast<int>(request.page_size()), request.page_token()));
  v1::ListModelsResponse response;
  for (ModelRecord& record : page.items) {
    record.model.mutable_facts()->clear_recipe();
    record.model.mutable_facts()->clear_training();
    *response.add_models() = std::move(record.model);
  }
  response.set_next_page_token(page.next_token);
  return response;
}

absl::Status ModelLibrary::Delete(const std::string& owner, const std::string& name) {
  ASSIGN_OR_RETURN(const ModelId id, ParseModelName(name, "model"));
  ASSIGN_OR_RETURN(const std::vector<std::string> volumes, store_.DeleteModel(owner, id.id, id.version));
  CrashPoint("model-delete-before-file");
  for (const std::string& volume : volumes) volumes_.Discard(volume);
  return absl::OkStatus();
}

}  // namespace deconvoy::server

#include "server/api/live_session.h"

#include <fmt/format.h>

#include <span>
#include <string_view>
#include <utility>

#include "proto/contract/checksum.h"
#include "proto/contract/error.h"
#include "proto/contract/limits.h"
#include "proto/contract/resource_name.h"
#include "proto/contract/status_macros.h"
#include "proto/contract/validation.h"

namespace deconvoy::server {
namespace {

constexpr size_t kRequestIdLength = 60;
constexpr size_t kFramingBytes = 2;  // around each box in a message

// A request id that no caller chooses by chance.
std::string RequestId(std::string_view session, std::string_view what) {
  const std::string text = fmt::format("deconvoy.v1.Deconvolution/{}/{}", what, session);
  Sha256 digest;
  digest.Update(std::as_bytes(std::span(text)));
  return ToHex(digest.Finish()).substr(0, kRequestIdLength);
}

absl::Status Invalid(const std::string& field, std::string_view what, const std::string& remedy) {
  return MakeError({.reason = v1::INVALID_FIELD, .field = field, .remedy = remedy}, what);
}

absl::Status CheckReceived(const v1::DeconvolveHeader& header) {
  size_t bytes = 0;
  for (const v1::Box& box : header.received()) bytes += kFramingBytes + box.ByteSizeLong();
  for (const v1::BoxSeries& series : header.received_series()) {
    if (!series.has_box() || series.times() == 0) {
      return Invalid("header.received_series", "a series has no box, or no time points", "Give both.");
    }
    bytes += kFramingBytes + series.ByteSizeLong();
  }
  if (bytes <= limits::kReceivedBytes) return absl::OkStatus();
  return MakeError(
      {.reason = v1::LIMIT_EXCEEDED,
       .field = "header.received",
       .remedy = "Name boxes of consecutive time points as `received_series`, or fewer of them; what is not "
                 "named is sent again.",
       .metadata = {{"limit", fmt::to_string(limits::kReceivedBytes)}}},
      fmt::format("the boxes that are named take {} bytes, more than {}", bytes, limits::kReceivedBytes));
}

absl::Status CheckHeader(const v1::DeconvolveHeader& header) {
  if (!ValidateRequestId(header.session()).ok()) {
    return Invalid("header.session", "the session is not 1 to 64 characters of [A-Za-z0-9_-]",
                   "Choose a name of such characters, new for each recording.");
  }
  if (!header.input().digest().empty()) {
    return Invalid("header.input.digest", "an image that is still to be recorded has no digest",
                   "Leave it out, and give it with `finish` if it is to be checked.");
  }
  if (!header.job().has_deconvolve()) {
    return Invalid("header.job", "the job is not a deconvolution", "Give `job.deconvolve`.");
  }
  if (!header.job().deconvolve().input_volume().empty()) {
    return Invalid("header.job.deconvolve.input_volume", "the job names an image, but that is what is recorded",
                   "Leave it empty.");
  }
  RETURN_IF_ERROR(CheckReceived(header));
  return ValidateVolumeSpec(header.input());
}

// The same in the words of this call.
absl::Status OfSession(const absl::Status& status, const std::string& session) {
  if (ReasonOf(status) != v1::REQUEST_ID_REUSED) return status;
  return MakeError(
      {.reason = v1::REQUEST_ID_REUSED,
       .field = "header.session",
       .remedy = "Choose a new session for another recording, or send the header that it was opened with."},
      fmt::format("session \"{}\" was opened with another input or job before", Printable(session)));
}

absl::StatusOr<v1::Job> SubmitValid(const std::string& owner, const v1::SubmitJobRequest& request, JobManager& jobs) {
  RETURN_IF_ERROR(ValidateJobSpec(request.spec()));
  return jobs.Submit(owner, request);
}

}  // namespace

absl::StatusOr<LiveSession> OpenLiveSession(const std::string& owner, const v1::DeconvolveHeader& header,
                                            const Door& door, Store& store, VolumeStore& volumes, JobManager& jobs) {
  RETURN_IF_ERROR(CheckHeader(header));
  RETURN_IF_ERROR(door.CheckOpen());
  const std::string& session = header.session();
  v1::SubmitJobRequest submission;
  submission.set_request_id(RequestId(session, "job"));
  *submission.mutable_spec() = header.job();
  LiveSession opened;
  ASSIGN_OR_RETURN(const auto earlier, store.FindRequest(owner, submission.request_id()));
  opened.resumed = earlier.has_value();

  v1::CreateVolumeRequest creation;
  creation.set_request_id(RequestId(session, "input"));
  *creation.mutable_spec() = header.input();
  const absl::StatusOr<v1::Volume> input = volumes.Create(owner, creation);
  if (!input.ok()) return OfSession(input.status(), session);
  ASSIGN_OR_RETURN(opened.input_id, VolumeId(input->name(), "input"));

  submission.mutable_spec()->mutable_deconvolve()->set_input_volume(input->name());
  if (header.job().job_class() == v1::JOB_CLASS_UNSPECIFIED) submission.mutable_spec()->set_job_class(v1::INTERACTIVE);
  const absl::StatusOr<v1::Job> job = SubmitValid(owner, submission, jobs);
  if (!job.ok()) {
    const bool unused = !opened.resumed && input->committed_bytes() == 0;
    if (unused && ReasonOf(job.status()) != v1::STORAGE_FAILURE) (void)volumes.Delete(opened.input_id);
    return OfSession(job.status(), session);
  }
  opened.job = *job;
  ASSIGN_OR_RETURN(opened.job_id, JobId(opened.job.name(), "job"));
  for (const v1::JobOutput& output : opened.job.outputs()) {
    if (output.role() != "estimate") continue;
    ASSIGN_OR_RETURN(opened.estimate_id, VolumeId(output.volume(), "estimate"));
  }
  ASSIGN_OR_RETURN(opened.input, volumes.Get(opened.input_id, true));
  return opened;
}

}  // namespace deconvoy::server

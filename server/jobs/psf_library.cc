#include "server/jobs/psf_library.h"

#include <fmt/format.h>

#include <optional>
#include <utility>
#include <vector>

#include "proto/contract/error.h"
#include "proto/contract/optics.h"
#include "proto/contract/psf_library.h"
#include "proto/contract/resource_name.h"
#include "proto/contract/status_macros.h"
#include "server/store/request_digest.h"

namespace deconvoy::server {

absl::StatusOr<v1::Psf> PsfLibrary::AnswerAgain(const Store::RequestRecord& earlier, const std::string& body_digest,
                                                const std::string& request_id) {
  if (earlier.body_digest != body_digest) {
    return MakeError({.reason = v1::REQUEST_ID_REUSED,
                      .field = "request_id",
                      .remedy = "Choose a new request id for a new request."},
                     fmt::format("request id \"{}\" has been used for another request", Printable(request_id)));
  }
  ASSIGN_OR_RETURN(std::optional<PsfRecord> psf, store_.FindPsfOfVolume(earlier.resource_id));
  if (psf) return std::move(psf->psf);
  return MakeError({.reason = v1::NOT_FOUND}, "the PSF that this request has made is gone");
}

absl::StatusOr<PsfRecord> PsfLibrary::MakeRecord(const std::string& owner, const v1::CreatePsfRequest& request) {
  ASSIGN_OR_RETURN(const std::string volume_id, VolumeId(request.volume(), "volume"));
  const absl::StatusOr<VolumeRecord> volume = store_.GetVolume(volume_id);
  if (!volume.ok() && ReasonOf(volume.status()) != v1::NOT_FOUND) return volume.status();
  if (!volume.ok() || volume->owner != owner) {
    return MakeError({.reason = v1::NOT_FOUND, .field = "volume", .remedy = "Upload it, or name another volume."},
                     fmt::format("there is no volume \"{}\"", request.volume()));
  }
  RETURN_IF_ERROR(ValidateOpticsCount(request.optics(), volume->spec.shape().c(), "PSF", "psf"));
  PsfRecord record{.owner = owner, .id = request.psf_id(), .volume_id = volume_id, .create_time = clock_.Wall()};
  record.psf.set_description(request.description());
  *record.psf.mutable_optics() = request.optics();
  record.psf.set_microscopy(request.microscopy());
  ASSIGN_OR_RETURN(*record.psf.mutable_spec()->mutable_digest(), volumes_.Digest(volume_id));
  return record;
}

absl::StatusOr<v1::Psf> PsfLibrary::Create(const std::string& owner, const v1::CreatePsfRequest& request) {
  RETURN_IF_ERROR(ValidateCreatePsf(request));
  const std::string body_digest = DigestOfRequest(request);
  ASSIGN_OR_RETURN(auto earlier, store_.FindRequest(owner, request.request_id()));
  if (earlier) return AnswerAgain(*earlier, body_digest, request.request_id());
  ASSIGN_OR_RETURN(PsfRecord record, MakeRecord(owner, request));
  CrashPoint("psf-before-insert");
  absl::StatusOr<PsfRecord> kept = store_.InsertPsf(std::move(record), request.request_id(), body_digest);
  CrashPoint("psf-after-insert");
  if (ReasonOf(kept.status()) == v1::REQUEST_ID_REUSED) {
    // The same request has come in twice at once, and the other one was first.
    ASSIGN_OR_RETURN(earlier, store_.FindRequest(owner, request.request_id()));
    if (earlier) return AnswerAgain(*earlier, body_digest, request.request_id());
  }
  if (!kept.ok()) return kept.status();
  return std::move(kept->psf);
}

absl::StatusOr<v1::Psf> PsfLibrary::Get(const std::string& owner, const std::string& name) {
  ASSIGN_OR_RETURN(const PsfId id, ParsePsfName(name, "psf"));
  ASSIGN_OR_RETURN(PsfRecord record, store_.GetPsf(owner, id.id, id.version));
  return std::move(record.psf);
}

absl::StatusOr<v1::ListPsfsResponse> PsfLibrary::List(const std::string& owner, const v1::ListPsfsRequest& request) {
  PsfId id;
  if (!request.psf().empty()) {
    ASSIGN_OR_RETURN(id, ParsePsfName(request.psf(), "psf"));
  }
  if (id.version != 0) {
    return MakeError(
        {.reason = v1::INVALID_FIELD, .field = "psf", .remedy = "Give `psfs/{id}` for all its versions, or Get one."},
        fmt::format("`psf` is `{}`, one version", request.psf()));
  }
  ASSIGN_OR_RETURN(Page<PsfRecord> page,
                   store_.ListPsfs(owner, id.id, static_cast<int>(request.page_size()), request.page_token()));
  v1::ListPsfsResponse response;
  for (PsfRecord& record : page.items) *response.add_psfs() = std::move(record.psf);
  response.set_next_page_token(page.next_token);
  return response;
}

absl::Status PsfLibrary::Delete(const std::string& owner, const std::string& name) {
  ASSIGN_OR_RETURN(const PsfId id, ParsePsfName(name, "psf"));
  ASSIGN_OR_RETURN(const std::vector<std::string> volumes, store_.DeletePsf(owner, id.id, id.version));
  CrashPoint("psf-delete-before-file");
  for (const std::string& volume : volumes) volumes_.Discard(volume);
  return absl::OkStatus();
}

}  // namespace deconvoy::server

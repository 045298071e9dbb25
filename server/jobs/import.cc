// JobManager: the volume that an import makes.
#include <utility>

#include "proto/contract/error.h"
#include "proto/contract/resource_name.h"
#include "proto/contract/status_macros.h"
#include "proto/contract/volume_layout.h"
#include "server/jobs/file_job.h"
#include "server/jobs/job_manager.h"
#include "server/jobs/live_job.h"

namespace deconvoy::server {
namespace {

// Whether the job is to end with it; what the service lacks by its own fault is tried again.
bool EndsImport(const absl::Status& status) {
  return !status.ok() && ReasonOf(status) != v1::STORAGE_FAILURE && ReasonOf(status) != v1::ERROR_REASON_UNSPECIFIED;
}

}  // namespace

absl::StatusOr<ImportDecision> JobManager::DecideImport(const LiveJob& job, const v1::LookAtFileResult& found,
                                                        std::optional<Quotas::Hold>& hold) {
  ASSIGN_OR_RETURN(const v1::VolumeSpec spec, ImportedSpec(job.spec().import_file(), found));
  const std::string& owner = job.record().owner;
  ASSIGN_OR_RETURN(const std::optional<VolumeRecord> equal, volumes_.FindEqual(owner, spec));
  if (equal) return ImportDecision{.equal = equal->id};
  const absl::Time now = clock_.Wall();
  VolumeRecord made{.id = ids_.Next(), .owner = owner, .spec = spec, .create_time = now, .last_used = now};
  absl::StatusOr<Quotas::Hold> room =
      volumes_.quotas().Take(owner, {.bytes = static_cast<int64_t>(ToVolume(made).size_bytes())});
  absl::Status status = room.status();
  if (room.ok()) {
    hold.emplace(*std::move(room));
    status = volumes_.Reserve(made.id, made.spec);
  }
  if (EndsImport(status)) return ImportDecision{.error = AddContext(status, "the imported volume")};
  RETURN_IF_ERROR(status);
  return ImportDecision{.made = std::move(made)};
}

}  // namespace deconvoy::server

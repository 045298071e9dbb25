#include "server/spool/spool_volume_store.h"

#include <fmt/format.h>
#include <google/protobuf/util/message_differencer.h>
#include <google/protobuf/util/time_util.h>

#include "proto/contract/error.h"
#include "proto/contract/resource_name.h"
#include "proto/contract/status_macros.h"
#include "proto/contract/validation.h"
#include "proto/contract/volume_layout.h"
#include "server/spool/coverage.h"
#include "server/store/request_digest.h"

namespace deconvoy::server {
namespace {

constexpr size_t kMissingShown = 1000;

// Whether both describe the same image; names are for people and may differ.
bool SameImage(v1::VolumeSpec a, v1::VolumeSpec b) {
  a.clear_display_name();
  b.clear_display_name();
  return google::protobuf::util::MessageDifferencer::Equals(a, b);
}

}  // namespace

absl::StatusOr<std::unique_ptr<VolumeStore>> VolumeStore::Open(const Options& options, Store& store, FileSystem& files,
                                                               Clock& clock, IdSource& ids) {
  auto volumes = std::make_unique<SpoolVolumeStore>(options, store, files, clock, ids);
  RETURN_IF_ERROR(volumes->Prepare());
  return volumes;
}

SpoolVolumeStore::SpoolVolumeStore(const Options& options, Store& store, FileSystem& files, Clock& clock, IdSource& ids)
    : options_(options),
      store_(store),
      files_(files),
      clock_(clock),
      ids_(ids),
      space_(options.directory, options.keep_free_bytes, options.room_remedy, files) {}

std::filesystem::path SpoolVolumeStore::PathOf(const std::string& volume_id) const {
  return options_.directory / "volumes" / (volume_id + ".raw");
}

absl::StatusOr<v1::Volume> SpoolVolumeStore::AnswerAgain(const Store::RequestRecord& earlier,
                                                         const std::string& body_digest,
                                                         const std::string& request_id) {
  if (earlier.body_digest == body_digest) return Get(earlier.resource_id, true);
  return MakeError(
      {.reason = v1::REQUEST_ID_REUSED, .field = "request_id", .remedy = "Choose a new request id for a new request."},
      fmt::format("request id \"{}\" has been used for another request", Printable(request_id)));
}

absl::StatusOr<std::optional<VolumeRecord>> SpoolVolumeStore::FindEqual(const std::string& owner,
                                                                        const v1::VolumeSpec& spec) {
  if (spec.digest().empty()) return std::nullopt;
  ASSIGN_OR_RETURN(std::optional<VolumeRecord> found, store_.FindVolumeByDigest(owner, spec.digest()));
  if (found && !SameImage(found->spec, spec)) found.reset();
  return found;
}

absl::StatusOr<v1::Volume> SpoolVolumeStore::Create(const std::string& owner, const v1::CreateVolumeRequest& request) {
  RETURN_IF_ERROR(ValidateRequestId(request.request_id()));
  RETURN_IF_ERROR(ValidateVolumeSpec(request.spec()));
  const std::string body_digest = DigestOfRequest(request);
  ASSIGN_OR_RETURN(auto earlier, store_.FindRequest(owner, request.request_id()));
  if (earlier) return AnswerAgain(*earlier, body_digest, request.request_id());
  ASSIGN_OR_RETURN(const auto equal, FindEqual(owner, request.spec()));
  if (equal) return Describe(*equal, true);

  const VolumeRecord record{.id = ids_.Next(), .owner = owner, .spec = request.spec(), .create_time = clock_.Wall()};
  const absl::Status inserted = Insert(record, request.request_id(), body_digest);
  if (ReasonOf(inserted) == v1::REQUEST_ID_REUSED) {
    // The same request has come in twice at once, and the other one was first.
    ASSIGN_OR_RETURN(earlier, store_.FindRequest(owner, request.request_id()));
    if (earlier) return AnswerAgain(*earlier, body_digest, request.request_id());
  }
  RETURN_IF_ERROR(inserted);
  return Describe(record, true);
}

absl::Status SpoolVolumeStore::Insert(const VolumeRecord& record, const std::string& request_id,
                                      const std::string& body_digest) {
  RETURN_IF_ERROR(Reserve(record.id, record.spec));
  CrashPoint("volume-before-insert");
  absl::Status inserted = store_.InsertVolume(record, request_id, body_digest);
  CrashPoint("volume-after-insert");
  // After a failure of the disk the record may be there after all when the server starts again, so its file stays; the
  // next start removes it otherwise.
  if (!inserted.ok() && ReasonOf(inserted) != v1::STORAGE_FAILURE) Discard(record.id);
  return inserted;
}

absl::Status SpoolVolumeStore::Reserve(const std::string& id, const v1::VolumeSpec& spec) {
  ASSIGN_OR_RETURN(const Shape5 shape, ToShape(spec.shape(), spec.type(), "spec.shape"));
  const std::filesystem::path path = PathOf(id);
  ASSIGN_OR_RETURN(const std::unique_ptr<File> file, space_.CreateFile(path, VolumeBytes(shape, spec.type())));
  absl::Status durable = file->Sync();
  if (durable.ok()) durable = files_.SyncDirectory(path.parent_path());
  if (!durable.ok()) Discard(id);
  return durable;
}

void SpoolVolumeStore::Discard(const std::string& id) {
  space_.RemoveFile(PathOf(id));
  changes_.Remove(id);
}

absl::StatusOr<v1::Volume> SpoolVolumeStore::Describe(const VolumeRecord& record, bool with_missing) {
  v1::Volume volume = ToVolume(record);
  if (with_missing && record.state == v1::WRITING) {
    ASSIGN_OR_RETURN(const std::vector<FrameBox> missing, Missing(record, kMissingShown));
    for (const FrameBox& box : missing) *volume.add_missing() = ToProto(box);
  }
  return volume;
}

absl::StatusOr<v1::Volume> SpoolVolumeStore::Get(const std::string& id, bool with_missing) {
  ASSIGN_OR_RETURN(const VolumeRecord record, store_.GetVolume(id));
  return Describe(record, with_missing);
}

std::shared_ptr<BoxClaims> SpoolVolumeStore::ClaimsOf(const std::string& volume_id) {
  std::lock_guard lock(mutex_);
  std::erase_if(claims_, [](const auto& entry) { return entry.second.expired(); });
  std::weak_ptr<BoxClaims>& known = claims_[volume_id];
  std::shared_ptr<BoxClaims> claims = known.lock();
  if (claims == nullptr) known = claims = std::make_shared<BoxClaims>(volume_id, store_);
  return claims;
}

absl::StatusOr<std::unique_ptr<VolumeWriter>> SpoolVolumeStore::Write(const std::string& id) {
  // The claims come before the record is read: a volume that another writer completes meanwhile is seen as such.
  std::shared_ptr<BoxClaims> claims = ClaimsOf(id);
  ASSIGN_OR_RETURN(VolumeRecord record, store_.GetVolume(id));
  if (record.job_output) {
    return MakeError({.reason = v1::VOLUME_IN_USE},
                     fmt::format("{} is the result of a job and takes no uploads", VolumeName(id)));
  }
  if (record.state != v1::WRITING) {
    return MakeError({.reason = v1::VOLUME_COMPLETE},
                     fmt::format("{} is complete and takes no more bytes", VolumeName(id)));
  }
  ASSIGN_OR_RETURN(std::unique_ptr<File> file, files_.Open(PathOf(id), true));
  return std::make_unique<UploadWriter>(std::move(record), std::move(file), std::move(claims), store_, changes_);
}

absl::Status SpoolVolumeStore::Delete(const std::string& id) {
  RETURN_IF_ERROR(store_.DeleteVolume(id));
  CrashPoint("volume-delete-before-file");
  Discard(id);
  return absl::OkStatus();
}

v1::Volume ToVolume(const VolumeRecord& record) {
  v1::Volume volume;
  volume.set_name(VolumeName(record.id));
  *volume.mutable_spec() = record.spec;
  volume.set_state(record.state);
  *volume.mutable_create_time() =
      google::protobuf::util::TimeUtil::NanosecondsToTimestamp(absl::ToUnixNanos(record.create_time));
  const v1::Shape5& shape = record.spec.shape();
  volume.set_size_bytes(uint64_t{shape.t()} * shape.c() * shape.z() * shape.y() * shape.x() *
                        static_cast<uint64_t>(BytesPerVoxel(record.spec.type())));
  volume.set_committed_bytes(static_cast<uint64_t>(record.committed_bytes));
  return volume;
}

}  // namespace deconvoy::server

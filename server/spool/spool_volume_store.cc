#include "server/spool/spool_volume_store.h"

#include <fmt/format.h>
#include <google/protobuf/util/message_differencer.h>
#include <spdlog/spdlog.h>

#include "proto/contract/error.h"
#include "proto/contract/limits.h"
#include "proto/contract/log_text.h"
#include "proto/contract/resource_name.h"
#include "proto/contract/status_macros.h"
#include "proto/contract/timestamp.h"
#include "proto/contract/validation.h"
#include "proto/contract/volume_layout.h"
#include "server/spool/coverage.h"
#include "server/store/request_digest.h"

namespace deconvoy::server {
namespace {

constexpr size_t kMissingShown = 1000;
constexpr size_t kWriteBuffers = 8;  // of all uploads together
// Unfinished uploads whose planes' digests are kept although nobody is writing them.
constexpr size_t kDigestedUploads = 64;
// A use is noted when the one noted before is so long ago.
constexpr absl::Duration kUseNoted = absl::Minutes(5);

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
      space_(options.directory, options.keep_free_bytes, options.room_remedy, files),
      quotas_(store, options.quota_of),
      buffers_(kWriteBuffers, limits::kChunkBytes) {}

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
  if (found) NoteUse(*found);
  return found;
}

absl::StatusOr<std::optional<VolumeRecord>> SpoolVolumeStore::FindUnfinished(const std::string& owner,
                                                                             const v1::VolumeSpec& spec) {
  if (spec.digest().empty()) return std::nullopt;
  ASSIGN_OR_RETURN(std::optional<VolumeRecord> found, store_.FindUnfinishedUpload(owner, spec.digest()));
  if (!found || !SameImage(found->spec, spec) || IsBeingWritten(found->id)) return std::nullopt;
  NoteUse(*found);
  return found;
}

bool SpoolVolumeStore::IsBeingWritten(const std::string& id) {
  std::lock_guard lock(mutex_);
  const auto known = claims_.find(id);
  return known != claims_.end() && !known->second.expired();
}

void SpoolVolumeStore::NoteUse(VolumeRecord& volume) {
  const absl::Time now = clock_.Wall();
  if (now - volume.last_used < kUseNoted) return;
  const absl::Status noted = store_.UseVolume(volume.id, now);
  if (!noted.ok()) spdlog::warn("the use of {} is not noted: {}", VolumeName(volume.id), LogText(noted));
  volume.last_used = now;
}

absl::StatusOr<v1::Volume> SpoolVolumeStore::Create(const std::string& owner, const v1::CreateVolumeRequest& request) {
  RETURN_IF_ERROR(ValidateRequestId(request.request_id()));
  RETURN_IF_ERROR(ValidateVolumeSpec(request.spec()));
  const std::string body_digest = DigestOfRequest(request);
  ASSIGN_OR_RETURN(auto earlier, store_.FindRequest(owner, request.request_id()));
  if (earlier) return AnswerAgain(*earlier, body_digest, request.request_id());
  ASSIGN_OR_RETURN(const auto equal, FindEqual(owner, request.spec()));
  if (equal) return Describe(*equal, true);
  ASSIGN_OR_RETURN(const auto unfinished, FindUnfinished(owner, request.spec()));
  if (unfinished) return Describe(*unfinished, true);

  const absl::Time now = clock_.Wall();
  const VolumeRecord record{
      .id = ids_.Next(), .owner = owner, .spec = request.spec(), .create_time = now, .last_used = now};
  ASSIGN_OR_RETURN(const Quotas::Hold hold,
                   quotas_.Take(owner, {.bytes = static_cast<int64_t>(ToVolume(record).size_bytes())}));
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
  ForgetDigestsOf(id);
  space_.RemoveFile(PathOf(id));
  changes_.Remove(id);
}

absl::StatusOr<v1::Volume> SpoolVolumeStore::Describe(const VolumeRecord& record, bool with_missing) {
  v1::Volume volume = ToVolume(record);
  if (with_missing && record.state == v1::WRITING) {
    ASSIGN_OR_RETURN(const std::vector<FrameBox> missing, Missing(record, kMissingShown));
    for (const FrameBox& box : missing) *volume.add_missing() = ToProto(box);
  }
  const std::optional<absl::Time> expiry = ExpiryOf(record, options_.retention);
  if (!expiry) return volume;
  ASSIGN_OR_RETURN(const std::vector<std::string> jobs, store_.JobsUsing(record.id));
  ASSIGN_OR_RETURN(const std::optional<PsfRecord> psf, store_.FindPsfOfVolume(record.id));
  ASSIGN_OR_RETURN(const std::optional<ModelRecord> model, store_.FindModelOfVolume(record.id));
  if (jobs.empty() && !psf && !model) {
    *volume.mutable_expire_time() = ToTimestamp(*expiry);
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

std::shared_ptr<PlaneDigests> SpoolVolumeStore::DigestsOf(const std::string& volume_id) {
  std::lock_guard lock(mutex_);
  if (digests_.size() > kDigestedUploads) {
    std::erase_if(digests_, [](const auto& entry) { return entry.second.use_count() == 1; });
  }
  std::shared_ptr<PlaneDigests>& known = digests_[volume_id];
  if (known == nullptr) known = std::make_shared<PlaneDigests>();
  return known;
}

void SpoolVolumeStore::ForgetDigestsOf(const std::string& volume_id) {
  std::lock_guard lock(mutex_);
  digests_.erase(volume_id);
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
  ASSIGN_OR_RETURN(const Shape5 shape, ToShape(record.spec.shape(), record.spec.type(), "spec.shape"));
  ASSIGN_OR_RETURN(std::unique_ptr<File> file, files_.Open(PathOf(id), true));
  UploadContext context{.claims = std::move(claims),
                        .digests = DigestsOf(id),
                        .buffers = buffers_,
                        .store = store_,
                        .changes = changes_,
                        .listener = listener_,
                        .committed = [this, record]() mutable { NoteUse(record); }};
  return std::make_unique<UploadWriter>(std::move(record), shape, std::move(file), std::move(context));
}

absl::Status SpoolVolumeStore::Delete(const std::string& id) {
  RETURN_IF_ERROR(store_.DeleteVolume(id));
  CrashPoint("volume-delete-before-file");
  Discard(id);
  return absl::OkStatus();
}

absl::Status SpoolVolumeStore::DeleteIdle(const VolumeRecord& volume) {
  if (IsBeingWritten(volume.id)) {
    return MakeError({.reason = v1::VOLUME_IN_USE}, fmt::format("{} is being written", VolumeName(volume.id)));
  }
  RETURN_IF_ERROR(store_.DeleteIdleVolume(volume.id, volume.last_used));
  CrashPoint("volume-delete-before-file");
  Discard(volume.id);
  return absl::OkStatus();
}

void SpoolVolumeStore::NoteSent(const VolumeRecord& volume, const FrameBox& box) {
  if (!volume.job_output || volume.fetched) return;
  const absl::StatusOr<Shape5> shape = ToShape(volume.spec.shape(), volume.spec.type(), "spec.shape");
  if (!shape.ok() || !fetches_.Sent(volume.id, *shape, box)) return;
  const absl::Status noted = store_.MarkFetched(volume.id);
  if (!noted.ok()) spdlog::warn("that {} was fetched is not noted: {}", VolumeName(volume.id), LogText(noted));
}

v1::Volume ToVolume(const VolumeRecord& record) {
  v1::Volume volume;
  volume.set_name(VolumeName(record.id));
  *volume.mutable_spec() = record.spec;
  volume.set_state(record.state);
  *volume.mutable_create_time() = ToTimestamp(record.create_time);
  const v1::Shape5& shape = record.spec.shape();
  volume.set_size_bytes(uint64_t{shape.t()} * shape.c() * shape.z() * shape.y() * shape.x() *
                        static_cast<uint64_t>(BytesPerVoxel(record.spec.type())));
  volume.set_committed_bytes(static_cast<uint64_t>(record.committed_bytes));
  volume.set_fetched(record.fetched);
  volume.set_owner("users/" + record.owner);
  return volume;
}

}  // namespace deconvoy::server

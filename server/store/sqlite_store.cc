#include "server/store/sqlite_store.h"

#include <fmt/format.h>
#include <google/protobuf/util/time_util.h>

#include "proto/contract/error.h"
#include "proto/contract/resource_name.h"
#include "server/store/group_table.h"
#include "server/store/job_table.h"
#include "server/store/model_table.h"
#include "server/store/preview_table.h"
#include "server/store/psf_table.h"
#include "server/store/request_table.h"
#include "server/store/schema.h"
#include "server/store/store_audit.h"
#include "server/store/task_table.h"
#include "server/store/usage_table.h"
#include "server/store/user_table.h"
#include "server/store/volume_table.h"

namespace deconvoy::server {
namespace {

// Fencing tokens reserved in the database at a time.
constexpr int64_t kTokenBlock = 64;

constexpr const char* kPaused = "paused";  // the counter: 1 while no task is given out

// `what`: by what it is kept, as a key of the metadata.
absl::Status KeptAs(const std::string& volume_id, const std::string& name, const std::string& what,
                    std::string_view remedy) {
  return MakeError({.reason = v1::VOLUME_IN_USE, .remedy = std::string(remedy), .metadata = {{what, name}}},
                   fmt::format("{} is kept as {}", VolumeName(volume_id), name));
}

// Errors of volumes that something else needs.
absl::Status CheckKept(Database& database, const std::string& volume_id) {
  ASSIGN_OR_RETURN(const std::optional<PsfRecord> psf, psf_table::FindByVolume(database, volume_id));
  if (psf) return KeptAs(volume_id, PsfName({psf->id, psf->number}), "psf", "Remove that PSF instead.");
  ASSIGN_OR_RETURN(const std::optional<ModelRecord> model, model_table::FindByVolume(database, volume_id));
  if (!model) return absl::OkStatus();
  return KeptAs(volume_id, ModelName({model->id, model->number}), "model", "Remove that model instead.");
}

absl::Status CheckUnused(Database& database, const std::string& volume_id) {
  ASSIGN_OR_RETURN(const std::vector<std::string> jobs, job_table::UnfinishedUsing(database, volume_id));
  if (jobs.empty()) return absl::OkStatus();
  return MakeError({.reason = v1::VOLUME_IN_USE,
                    .remedy = "Wait until the job has ended, or cancel it.",
                    .metadata = {{"job", JobName(jobs.front())}}},
                   fmt::format("{} is used by {}, which has not ended", VolumeName(volume_id), JobName(jobs.front())));
}

// The volumes of `change`, in the order in which one step may need them.
absl::Status ApplyVolumes(Database& database, const JobChange& change) {
  for (const VolumeRecord& volume : change.new_volumes) {
    RETURN_IF_ERROR(volume_table::Insert(database, volume, true));
  }
  for (const JobChange::Commit& commit : change.committed) {
    RETURN_IF_ERROR(volume_table::CommitBoxes(database, commit.volume_id, commit.boxes));
  }
  for (const std::string& id : change.completed_volumes) {
    RETURN_IF_ERROR(volume_table::Complete(database, id, ""));
  }
  if (change.imported) {
    RETURN_IF_ERROR(volume_table::CompleteImport(database, change.imported->volume_id, change.imported->digest));
  }
  for (const std::string& id : change.deleted_volumes) RETURN_IF_ERROR(volume_table::Delete(database, id));
  return absl::OkStatus();
}

// The volumes of a job that ends have been used until now.
absl::Status UseVolumesAtEnd(Database& database, const job_table::JobKey& key, const JobRecord& job) {
  if (!job.job.has_end_time()) return absl::OkStatus();
  const int64_t end_ns = google::protobuf::util::TimeUtil::TimestampToNanoseconds(job.job.end_time());
  return volume_table::UseAllOf(database, key.key, absl::FromUnixNanos(end_ns));
}

absl::Status ApplyChange(Database& database, job_table::JobKey key, const JobChange& change) {
  RETURN_IF_ERROR(ApplyVolumes(database, change));
  RETURN_IF_ERROR(task_table::Insert(database, key.key, change.new_tasks));
  RETURN_IF_ERROR(task_table::Update(database, key.key, change.changed_tasks));
  for (const PreviewAddition& preview : change.previews) {
    RETURN_IF_ERROR(preview_table::Add(database, key.key, preview));
  }
  RETURN_IF_ERROR(task_table::AppendEvents(database, key, change.events));
  if (change.usage) RETURN_IF_ERROR(usage_table::Add(database, *change.usage));
  if (change.share) RETURN_IF_ERROR(usage_table::SetShare(database, *change.share));
  RETURN_IF_ERROR(job_table::Update(database, key, change.job));
  return UseVolumesAtEnd(database, key, change.job);
}

}  // namespace

absl::StatusOr<std::unique_ptr<Store>> Store::Open(const std::filesystem::path& path, const std::string& vfs) {
  ASSIGN_OR_RETURN(std::unique_ptr<Database> database, Database::Open(path, vfs));
  RETURN_IF_ERROR(CheckSound(*database));
  RETURN_IF_ERROR(Migrate(*database));
  // What an earlier run has left in the log, and the tables of a new database. The next start would do as well.
  database->EmptyLog().IgnoreError();
  return std::make_unique<SqliteStore>(std::move(database));
}

absl::StatusOr<std::optional<Store::RequestRecord>> SqliteStore::FindRequest(const std::string& owner,
                                                                             const std::string& request_id) {
  std::lock_guard lock(mutex_);
  return request_table::Find(*database_, owner, request_id);
}

absl::Status SqliteStore::InsertVolume(const VolumeRecord& volume, const std::string& request_id,
                                       const std::string& body_digest) {
  return Write([&](Database& database) -> absl::Status {
    RETURN_IF_ERROR(request_table::Insert(database, volume.owner, request_id, {body_digest, volume.id}));
    return volume_table::Insert(database, volume, false);
  });
}

absl::StatusOr<VolumeRecord> SqliteStore::GetVolume(const std::string& id) {
  std::lock_guard lock(mutex_);
  return volume_table::Get(*database_, id);
}

absl::StatusOr<std::optional<VolumeRecord>> SqliteStore::FindVolumeByDigest(const std::string& owner,
                                                                            const std::string& digest) {
  std::lock_guard lock(mutex_);
  return volume_table::FindByDigest(*database_, owner, digest);
}

absl::StatusOr<std::optional<VolumeRecord>> SqliteStore::FindUnfinishedUpload(const std::string& owner,
                                                                              const std::string& digest) {
  std::lock_guard lock(mutex_);
  return volume_table::FindUnfinished(*database_, owner, digest);
}

absl::StatusOr<Page<VolumeRecord>> SqliteStore::ListVolumes(const std::string& owner, int page_size,
                                                            const std::string& page_token) {
  std::lock_guard lock(mutex_);
  return volume_table::List(*database_, owner, page_size, page_token);
}

absl::StatusOr<std::vector<std::string>> SqliteStore::AllVolumeIds() {
  std::lock_guard lock(mutex_);
  return volume_table::AllIds(*database_);
}

absl::Status SqliteStore::CommitBoxes(const std::string& volume_id, const std::vector<CommittedBox>& boxes) {
  return Write([&](Database& database) { return volume_table::CommitBoxes(database, volume_id, boxes); });
}

absl::StatusOr<std::vector<CommittedBox>> SqliteStore::GetBoxes(const std::string& volume_id, int64_t t, int64_t c) {
  std::lock_guard lock(mutex_);
  return volume_table::GetBoxes(*database_, volume_id, t, c);
}

absl::Status SqliteStore::CompleteVolume(const std::string& id, const std::string& digest) {
  return Write([&](Database& database) { return volume_table::Complete(database, id, digest); });
}

absl::StatusOr<std::vector<CommittedBox>> SqliteStore::GetBoxesFrom(const std::string& volume_id, int64_t t, int64_t c,
                                                                    int64_t from_z, int64_t to_z) {
  std::lock_guard lock(mutex_);
  return volume_table::GetBoxesFrom(*database_, volume_id, t, c, from_z, to_z);
}

absl::Status SqliteStore::ForgetDigest(const std::string& id) {
  return Write([&](Database& database) { return volume_table::ForgetDigest(database, id); });
}

absl::Status SqliteStore::UseVolume(const std::string& id, absl::Time when) {
  return Write([&](Database& database) { return volume_table::Use(database, id, when); });
}

absl::Status SqliteStore::MarkFetched(const std::string& id) {
  return Write([&](Database& database) { return volume_table::MarkFetched(database, id); });
}

absl::StatusOr<Usage> SqliteStore::UsageOf(const std::string& owner) {
  std::lock_guard lock(mutex_);
  Usage usage;
  ASSIGN_OR_RETURN(usage.bytes, volume_table::BytesOf(*database_, owner));
  ASSIGN_OR_RETURN(usage.unfinished_jobs, job_table::CountUnfinished(*database_, owner));
  return usage;
}

absl::StatusOr<std::vector<VolumeRecord>> SqliteStore::IdleVolumes(VolumeKind kind, absl::Time before, int limit) {
  std::lock_guard lock(mutex_);
  return volume_table::Idle(*database_, kind, before, limit);
}

absl::Status SqliteStore::DeleteIdleVolume(const std::string& id, absl::Time last_used) {
  return Write([&](Database& database) -> absl::Status {
    RETURN_IF_ERROR(CheckUnused(database, id));
    RETURN_IF_ERROR(CheckKept(database, id));
    ASSIGN_OR_RETURN(const VolumeRecord volume, volume_table::Get(database, id));
    if (volume.last_used > last_used) {
      return MakeError({.reason = v1::VOLUME_IN_USE}, fmt::format("{} has been used just now", VolumeName(id)));
    }
    return volume_table::Delete(database, id);
  });
}

absl::Status SqliteStore::DeleteVolume(const std::string& id) {
  return Write([&](Database& database) -> absl::Status {
    RETURN_IF_ERROR(CheckUnused(database, id));
    RETURN_IF_ERROR(CheckKept(database, id));
    return volume_table::Delete(database, id);
  });
}

absl::StatusOr<std::vector<std::string>> SqliteStore::JobsUsing(const std::string& volume_id) {
  std::lock_guard lock(mutex_);
  return job_table::UnfinishedUsing(*database_, volume_id);
}

absl::StatusOr<std::vector<std::string>> SqliteStore::VolumesOfJob(const std::string& job_id) {
  std::lock_guard lock(mutex_);
  return job_table::VolumesOf(*database_, job_id);
}

absl::StatusOr<PsfRecord> SqliteStore::InsertPsf(PsfRecord psf, const std::string& request_id,
                                                 const std::string& body_digest) {
  const absl::Status kept = Write([&](Database& database) -> absl::Status {
    RETURN_IF_ERROR(request_table::Insert(database, psf.owner, request_id, {body_digest, psf.volume_id}));
    RETURN_IF_ERROR(CheckKept(database, psf.volume_id));
    return psf_table::Insert(database, psf);
  });
  if (!kept.ok()) return kept;
  return psf;
}

absl::StatusOr<PsfRecord> SqliteStore::GetPsf(const std::string& owner, const std::string& id, int64_t number) {
  std::lock_guard lock(mutex_);
  return psf_table::Get(*database_, owner, id, number);
}

absl::StatusOr<std::optional<PsfRecord>> SqliteStore::FindPsfOfVolume(const std::string& volume_id) {
  std::lock_guard lock(mutex_);
  return psf_table::FindByVolume(*database_, volume_id);
}

absl::StatusOr<Page<PsfRecord>> SqliteStore::ListPsfs(const std::string& owner, const std::string& id, int page_size,
                                                      const std::string& page_token) {
  std::lock_guard lock(mutex_);
  return psf_table::List(*database_, owner, id, page_size, page_token);
}

absl::StatusOr<std::vector<std::string>> SqliteStore::DeletePsf(const std::string& owner, const std::string& id,
                                                                int64_t number) {
  std::vector<std::string> volumes;
  const absl::Status removed = Write([&](Database& database) -> absl::Status {
    ASSIGN_OR_RETURN(volumes, psf_table::Delete(database, owner, id, number));
    for (const std::string& volume : volumes) {
      RETURN_IF_ERROR(CheckUnused(database, volume));
      RETURN_IF_ERROR(volume_table::Delete(database, volume));
    }
    return absl::OkStatus();
  });
  if (!removed.ok()) return removed;
  return volumes;
}

absl::StatusOr<ModelRecord> SqliteStore::InsertModel(ModelRecord model, const std::string& request_id,
                                                     const std::string& body_digest) {
  const absl::Status kept = Write([&](Database& database) -> absl::Status {
    RETURN_IF_ERROR(request_table::Insert(database, model.owner, request_id, {body_digest, model.volume_id}));
    RETURN_IF_ERROR(CheckKept(database, model.volume_id));
    return model_table::Insert(database, model);
  });
  if (!kept.ok()) return kept;
  return model;
}

absl::StatusOr<ModelRecord> SqliteStore::GetModel(const std::string& owner, const std::string& id, int64_t number) {
  std::lock_guard lock(mutex_);
  return model_table::Get(*database_, owner, id, number);
}

absl::StatusOr<std::optional<ModelRecord>> SqliteStore::FindModelOfVolume(const std::string& volume_id) {
  std::lock_guard lock(mutex_);
  return model_table::FindByVolume(*database_, volume_id);
}

absl::StatusOr<Page<ModelRecord>> SqliteStore::ListModels(const std::string& owner, const std::string& id,
                                                          int page_size, const std::string& page_token) {
  std::lock_guard lock(mutex_);
  return model_table::List(*database_, owner, id, page_size, page_token);
}

absl::StatusOr<std::vector<std::string>> SqliteStore::DeleteModel(const std::string& owner, const std::string& id,
                                                                  int64_t number) {
  std::vector<std::string> volumes;
  const absl::Status removed = Write([&](Database& database) -> absl::Status {
    ASSIGN_OR_RETURN(volumes, model_table::Delete(database, owner, id, number));
    for (const std::string& volume : volumes) {
      RETURN_IF_ERROR(CheckUnused(database, volume));
      RETURN_IF_ERROR(volume_table::Delete(database, volume));
    }
    return absl::OkStatus();
  });
  if (!removed.ok()) return removed;
  return volumes;
}

absl::Status SqliteStore::InsertJob(const JobChange& first, const std::string& request_id,
                                    const std::string& body_digest) {
  return Write([&](Database& database) -> absl::Status {
    RETURN_IF_ERROR(request_table::Insert(database, first.job.owner, request_id, {body_digest, first.job.id}));
    RETURN_IF_ERROR(job_table::CheckInputs(database, first.job));
    ASSIGN_OR_RETURN(const job_table::JobKey key, job_table::Insert(database, first.job));
    RETURN_IF_ERROR(volume_table::UseAllOf(database, key.key, first.job.create_time));
    return ApplyChange(database, key, first);
  });
}

absl::StatusOr<JobRecord> SqliteStore::GetJob(const std::string& id) {
  std::lock_guard lock(mutex_);
  return job_table::Get(*database_, id);
}

absl::StatusOr<Page<JobRecord>> SqliteStore::ListJobs(const std::string& owner, int page_size,
                                                      const std::string& page_token, bool unfinished_only) {
  std::lock_guard lock(mutex_);
  return job_table::List(*database_, owner, page_size, page_token, unfinished_only);
}

absl::StatusOr<std::vector<JobRecord>> SqliteStore::UnfinishedJobs() {
  std::lock_guard lock(mutex_);
  return job_table::Unfinished(*database_);
}

absl::Status SqliteStore::Apply(const JobChange& change) {
  return Write([&](Database& database) -> absl::Status {
    ASSIGN_OR_RETURN(const job_table::JobKey key, job_table::Find(database, change.job.id));
    return ApplyChange(database, key, change);
  });
}

absl::Status SqliteStore::DeleteJob(const std::string& id) {
  return Write([&](Database& database) { return job_table::Delete(database, id); });
}

absl::StatusOr<std::vector<TaskRecord>> SqliteStore::GetTasks(const std::string& job_id) {
  std::lock_guard lock(mutex_);
  return task_table::List(*database_, job_id);
}

absl::StatusOr<std::vector<v1::JobEvent>> SqliteStore::GetEvents(const std::string& job_id, uint64_t after, int limit) {
  std::lock_guard lock(mutex_);
  return task_table::ListEvents(*database_, job_id, after, limit);
}

absl::StatusOr<v1::Preview> SqliteStore::GetPreview(const std::string& job_id, uint32_t c) {
  std::lock_guard lock(mutex_);
  return preview_table::Get(*database_, job_id, c);
}

absl::Status SqliteStore::AddUsage(const std::vector<UsageRecord>& usage) {
  return Write([&](Database& database) -> absl::Status {
    for (const UsageRecord& added : usage) RETURN_IF_ERROR(usage_table::Add(database, added));
    return absl::OkStatus();
  });
}

absl::StatusOr<std::vector<UsageRecord>> SqliteStore::ListUsage(const std::string& first, const std::string& last) {
  std::lock_guard lock(mutex_);
  return usage_table::List(*database_, first, last);
}

absl::StatusOr<std::vector<ShareRecord>> SqliteStore::ListShares() {
  std::lock_guard lock(mutex_);
  return usage_table::Shares(*database_);
}

absl::Status SqliteStore::SetPaused(bool paused) {
  return Write([&](Database& database) { return request_table::SetCounter(database, kPaused, paused ? 1 : 0); });
}

absl::StatusOr<bool> SqliteStore::IsPaused() {
  std::lock_guard lock(mutex_);
  ASSIGN_OR_RETURN(const int64_t paused, request_table::GetCounter(*database_, kPaused));
  return paused != 0;
}

absl::StatusOr<uint64_t> SqliteStore::NextToken() {
  std::lock_guard lock(mutex_);
  if (next_token_ == token_end_) {
    int64_t newest = 0;
    RETURN_IF_ERROR(WriteLocked([&](Database& database) -> absl::Status {
      ASSIGN_OR_RETURN(newest, request_table::AdvanceTokens(database, kTokenBlock));
      return absl::OkStatus();
    }));
    token_end_ = static_cast<uint64_t>(newest) + 1;
    next_token_ = token_end_ - static_cast<uint64_t>(kTokenBlock);
  }
  return next_token_++;
}

absl::Status SqliteStore::InsertUser(const UserRecord& user) {
  return Write([&](Database& database) { return user_table::Insert(database, user); });
}

absl::StatusOr<UserRecord> SqliteStore::GetUser(const std::string& id) {
  std::lock_guard lock(mutex_);
  return user_table::Get(*database_, id);
}

absl::Status SqliteStore::UpdateUser(const UserRecord& user) {
  return Write([&](Database& database) { return user_table::Update(database, user); });
}

absl::StatusOr<Page<UserRecord>> SqliteStore::ListUsers(int page_size, const std::string& page_token) {
  std::lock_guard lock(mutex_);
  return user_table::List(*database_, page_size, page_token);
}

absl::StatusOr<GroupRecord> SqliteStore::SetGroupWeight(const std::string& group, double weight) {
  GroupRecord record;
  RETURN_IF_ERROR(Write([&](Database& database) -> absl::Status {
    ASSIGN_OR_RETURN(record, group_table::SetWeight(database, group, weight));
    return absl::OkStatus();
  }));
  return record;
}

absl::StatusOr<Page<GroupRecord>> SqliteStore::ListGroups(int page_size, const std::string& page_token) {
  std::lock_guard lock(mutex_);
  return group_table::List(*database_, page_size, page_token);
}

absl::StatusOr<TokenRecord> SqliteStore::InsertUserToken(TokenRecord token) {
  RETURN_IF_ERROR(Write([&](Database& database) { return user_table::InsertToken(database, token); }));
  return token;
}

absl::StatusOr<std::optional<TokenRecord>> SqliteStore::FindUserToken(const std::string& hash) {
  std::lock_guard lock(mutex_);
  return user_table::FindToken(*database_, hash);
}

absl::StatusOr<TokenRecord> SqliteStore::GetUserToken(const std::string& user_id, int64_t number) {
  std::lock_guard lock(mutex_);
  return user_table::GetToken(*database_, user_id, number);
}

absl::StatusOr<Page<TokenRecord>> SqliteStore::ListUserTokens(const std::string& user_id, int page_size,
                                                              const std::string& page_token) {
  std::lock_guard lock(mutex_);
  return user_table::ListTokens(*database_, user_id, page_size, page_token);
}

absl::Status SqliteStore::UpdateUserToken(const TokenRecord& token) {
  return Write([&](Database& database) { return user_table::UpdateToken(database, token); });
}

absl::StatusOr<std::vector<TokenRecord>> SqliteStore::UsableAdminTokens(absl::Time now) {
  std::lock_guard lock(mutex_);
  return user_table::UsableAdminTokens(*database_, now);
}

}  // namespace deconvoy::server

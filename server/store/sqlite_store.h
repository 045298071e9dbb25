// The store over SQLite: takes the lock, opens a transaction, and leaves the rows to the tables' own files.
#pragma once

#include <memory>
#include <mutex>
#include <utility>

#include "proto/contract/error.h"
#include "proto/contract/status_macros.h"
#include "server/store/sqlite.h"
#include "server/store/store.h"

namespace deconvoy::server {

class SqliteStore : public Store {
 public:
  explicit SqliteStore(std::unique_ptr<Database> database) : database_(std::move(database)) {}

  absl::StatusOr<std::optional<RequestRecord>> FindRequest(const std::string& owner,
                                                           const std::string& request_id) override;

  absl::Status InsertVolume(const VolumeRecord& volume, const std::string& request_id,
                            const std::string& body_digest) override;
  absl::StatusOr<VolumeRecord> GetVolume(const std::string& id) override;
  absl::StatusOr<std::optional<VolumeRecord>> FindVolumeByDigest(const std::string& owner,
                                                                 const std::string& digest) override;
  absl::StatusOr<std::optional<VolumeRecord>> FindUnfinishedUpload(const std::string& owner,
                                                                   const std::string& digest) override;
  absl::StatusOr<Page<VolumeRecord>> ListVolumes(const std::string& owner, int page_size,
                                                 const std::string& page_token) override;
  absl::StatusOr<std::vector<std::string>> AllVolumeIds() override;
  absl::Status CommitBoxes(const std::string& volume_id, const std::vector<CommittedBox>& boxes) override;
  absl::StatusOr<std::vector<CommittedBox>> GetBoxes(const std::string& volume_id, int64_t t, int64_t c) override;
  absl::StatusOr<std::vector<CommittedBox>> GetBoxesFrom(const std::string& volume_id, int64_t t, int64_t c,
                                                         int64_t from_z, int64_t to_z) override;
  absl::Status CompleteVolume(const std::string& id, const std::string& digest) override;
  absl::Status ForgetDigest(const std::string& id) override;
  absl::Status UseVolume(const std::string& id, absl::Time when) override;
  absl::Status MarkFetched(const std::string& id) override;
  absl::StatusOr<Usage> UsageOf(const std::string& owner) override;
  absl::StatusOr<std::vector<VolumeRecord>> IdleVolumes(VolumeKind kind, absl::Time before, int limit) override;
  absl::Status DeleteIdleVolume(const std::string& id, absl::Time last_used) override;
  absl::Status DeleteVolume(const std::string& id) override;
  absl::StatusOr<std::vector<std::string>> JobsUsing(const std::string& volume_id) override;
  absl::StatusOr<std::vector<std::string>> VolumesOfJob(const std::string& job_id) override;

  absl::StatusOr<PsfRecord> InsertPsf(PsfRecord psf, const std::string& request_id,
                                      const std::string& body_digest) override;
  absl::StatusOr<PsfRecord> GetPsf(const std::string& owner, const std::string& id, int64_t number) override;
  absl::StatusOr<std::optional<PsfRecord>> FindPsfOfVolume(const std::string& volume_id) override;
  absl::StatusOr<Page<PsfRecord>> ListPsfs(const std::string& owner, const std::string& id, int page_size,
                                           const std::string& page_token) override;
  absl::StatusOr<std::vector<std::string>> DeletePsf(const std::string& owner, const std::string& id,
                                                     int64_t number) override;
  absl::StatusOr<ModelRecord> InsertModel(ModelRecord model, const std::string& request_id,
                                          const std::string& body_digest) override;
  absl::StatusOr<ModelRecord> GetModel(const std::string& owner, const std::string& id, int64_t number) override;
  absl::StatusOr<std::optional<ModelRecord>> FindModelOfVolume(const std::string& volume_id) override;
  absl::StatusOr<Page<ModelRecord>> ListModels(const std::string& owner, const std::string& id, int page_size,
                                               const std::string& page_token) override;
  absl::StatusOr<std::vector<std::string>> DeleteModel(const std::string& owner, const std::string& id,
                                                       int64_t number) override;

  absl::Status InsertJob(const JobChange& first, const std::string& request_id,
                         const std::string& body_digest) override;
  absl::StatusOr<JobRecord> GetJob(const std::string& id) override;
  absl::StatusOr<Page<JobRecord>> ListJobs(const std::string& owner, int page_size, const std::string& page_token,
                                           bool unfinished_only) override;
  absl::StatusOr<std::vector<JobRecord>> UnfinishedJobs() override;
  absl::Status Apply(const JobChange& change) override;
  absl::Status DeleteJob(const std::string& id) override;
  absl::StatusOr<std::vector<TaskRecord>> GetTasks(const std::string& job_id) override;
  absl::StatusOr<std::vector<v1::JobEvent>> GetEvents(const std::string& job_id, uint64_t after, int limit) override;
  absl::StatusOr<v1::Preview> GetPreview(const std::string& job_id, uint32_t c) override;
  absl::Status AddUsage(const std::vector<UsageRecord>& usage) override;
  absl::StatusOr<std::vector<UsageRecord>> ListUsage(const std::string& first, const std::string& last) override;
  absl::StatusOr<std::vector<ShareRecord>> ListShares() override;
  absl::Status SetPaused(bool paused) override;
  absl::StatusOr<bool> IsPaused() override;
  absl::StatusOr<uint64_t> NextToken() override;

  absl::Status InsertUser(const UserRecord& user) override;
  absl::StatusOr<UserRecord> GetUser(const std::string& id) override;
  absl::Status UpdateUser(const UserRecord& user) override;
  absl::StatusOr<Page<UserRecord>> ListUsers(int page_size, const std::string& page_token) override;
  absl::StatusOr<GroupRecord> SetGroupWeight(const std::string& group, double weight) override;
  absl::StatusOr<Page<GroupRecord>> ListGroups(int page_size, const std::string& page_token) override;
  absl::StatusOr<TokenRecord> InsertUserToken(TokenRecord token) override;
  absl::StatusOr<std::optional<TokenRecord>> FindUserToken(const std::string& hash) override;
  absl::StatusOr<TokenRecord> GetUserToken(const std::string& user_id, int64_t number) override;
  absl::StatusOr<Page<TokenRecord>> ListUserTokens(const std::string& user_id, int page_size,
                                                   const std::string& page_token) override;
  absl::Status UpdateUserToken(const TokenRecord& token) override;
  absl::StatusOr<std::vector<TokenRecord>> UsableAdminTokens(absl::Time now) override;

 private:
  // Runs `work` on the database, in a transaction that is committed when it succeeds. Where the disk is full, the room
  // that the write-ahead log takes may be enough: then `work` runs a second time.
  template <typename Work>
  absl::Status Write(const Work& work) {
    std::lock_guard lock(mutex_);
    return WriteLocked(work);
  }
  template <typename Work>
  absl::Status WriteLocked(const Work& work) {
    absl::Status status = WriteOnce(work);
    if (ReasonOf(status) != v1::DISK_FULL || !database_->EmptyLog().ok()) return status;
    return WriteOnce(work);
  }
  template <typename Work>
  absl::Status WriteOnce(const Work& work) {
    ASSIGN_OR_RETURN(Transaction transaction, Transaction::Begin(*database_));
    RETURN_IF_ERROR(work(*database_));
    return transaction.Commit();
  }

  std::mutex mutex_;
  // --- guarded by mutex_ ---
  const std::unique_ptr<Database> database_;
  // Tokens from next_token_ to before token_end_ are reserved in the database and not given out yet.
  uint64_t next_token_ = 0;
  uint64_t token_end_ = 0;
};

}  // namespace deconvoy::server

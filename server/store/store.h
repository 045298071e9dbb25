// The durable record of volumes, jobs, tasks, events, PSFs, models and usage: SQLite, WAL, synchronous=FULL.
//
// Every call is one transaction, durable when it returns. It holds facts and keeps them consistent; which change is
// legal is decided by the rooms above (server/jobs for the state machines). Thread safe: calls are serialised inside.
// Errors: NOT_FOUND for an unknown id; RESOURCE_EXHAUSTED with DISK_FULL; INTERNAL with STORAGE_FAILURE for anything
// else.
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "deconvoy/v1/errors.pb.h"
#include "deconvoy/v1/jobs.pb.h"
#include "deconvoy/v1/models.pb.h"
#include "deconvoy/v1/psfs.pb.h"
#include "deconvoy/v1/volumes.pb.h"
#include "deconvoy/v1/workers.pb.h"
#include "proto/contract/geometry.h"
#include "server/store/user_record.h"

namespace deconvoy::server {

struct VolumeRecord {
  std::string id;
  std::string owner;
  v1::VolumeSpec spec = {};  // with the digest once known
  v1::VolumeState state = v1::WRITING;
  absl::Time create_time = {};
  int64_t committed_bytes = 0;
  bool job_output = false;  // made by a job, so that uploads are refused; given by the store
  // When it was last created, completed, found by its digest, read, or read or written by a job that was submitted or
  // ended. At first the time of creation.
  absl::Time last_used = {};
  bool fetched = false;  // all of it has been read by its owner; kept for results only
};

// What an owner has.
struct Usage {
  int64_t bytes = 0;            // of all volumes, at their full size
  int64_t unfinished_jobs = 0;  // that have not ended
};

// Volumes that one rule of retention is about.
enum class VolumeKind {
  kUpload = 1,
  kResult = 2,         // of a job, not fetched
  kFetchedResult = 3,  // of a job, fetched
};

// A box whose bytes are durable, with the CRC-32C of those bytes in C order.
struct CommittedBox {
  FrameBox box;
  uint32_t crc32c = 0;
};

enum class TaskKind {
  kAnalyse = 1,
  kTile = 2,
  kSimulate = 3,
  kProject = 4,
  kCalibrate = 5,
  kModelPsf = 6,
  kDistill = 7,
  kEstimatePsf = 8,
  kCheckPsf = 9,
  kPreparePsf = 10,
  kLookAtFile = 14,
  kReadFile = 15,
  kWriteFile = 16,
  kTrain = 30,
  kFinishTraining = 31,
  kCheckModel = 32,
};

// The order is that of a task's life; stored as these numbers.
enum class TaskState { kBlocked = 1, kReady = 2, kLeased = 3, kDone = 4, kFailed = 5, kCancelled = 6 };

struct TaskRecord {
  std::string job_id;
  int64_t number = 0;  // within the job, from 0
  TaskKind kind = TaskKind::kTile;
  TaskState state = TaskState::kReady;
  int64_t t = 0, c = 0;        // frame
  int64_t tile = 0;            // index in the job's tile plan, or of an import's part
  uint64_t token = 0;          // fencing token of the newest lease; 0 before the first
  std::string worker = {};     // LEASED: its holder; before that, who failed it last
  int32_t failures = 0;        // errors reported and crashes by signal
  int32_t losses = 0;          // leases lost
  absl::Time not_before = {};  // backoff: not given out earlier
};

struct JobRecord {
  std::string id;
  std::string owner;
  v1::JobState state = v1::PENDING;
  v1::Job job = {};  // all that is shown; name, state, times and last_sequence are filled on reading
  absl::Time create_time = {};
  // Plan of the tile tasks, made after the analysis; empty until then (serialised by server/jobs). In a change, empty
  // keeps the stored one: plans can be large, and only what calibration and estimation find changes them.
  std::string plan = {};
};

// A page of a list, newest first: as many items as asked for, or fewer where these are large (limits::kPageBytes).
template <typename T>
struct Page {
  std::vector<T> items;
  std::string next_token;  // empty at the end
};

// One version of a PSF: a volume that is kept under a name.
struct PsfRecord {
  std::string owner;
  std::string id;         // of the PSF
  int64_t number = 0;     // of the version, from 1; given by the store
  std::string volume_id;  // that holds it
  v1::Psf psf = {};       // all that is shown; name, volume, time and, but for its digest, spec are filled on reading
  absl::Time create_time = {};
};

// One version of a model: a volume with its file that is kept under a name.
struct ModelRecord {
  std::string owner;
  std::string id;         // of the model
  int64_t number = 0;     // of the version, from 1; given by the store
  std::string volume_id;  // that holds its file
  v1::Model model = {};   // all that is shown; name, volume and time are filled on reading
  absl::Time create_time = {};
};

// What a finished tile adds to the preview of a channel.
struct PreviewAddition {
  v1::Preview preview = {};   // of its frame, without maxima
  v1::PreviewPart part = {};  // inside it, with as many maxima as it has pixels
};

// What an owner has used in a month, or what is to be added to that.
struct UsageRecord {
  std::string owner;
  std::string month;      // `2026-11`, UTC
  int64_t worker_ms = 0;  // that workers spent on tasks whose results were committed
  int64_t tasks = 0;      // committed
  int64_t bytes_in = 0;   // of voxels written into volumes
  int64_t bytes_out = 0;  // of voxels read from volumes
};

// The month of a time, as in UsageRecord.
std::string MonthOf(absl::Time time);

// What an owner has spent of late, as fair shares go by it: see server/schedule/shares.h.
struct ShareRecord {
  std::string owner;
  int64_t spent_ms = 0;  // decayed until `at_ms`
  int64_t at_ms = 0;     // how long the server has run, over all its starts
};

// What one step of a job's life changes, applied in one transaction.
struct JobChange {
  JobRecord job;  // replaces the stored one (id must exist)
  std::vector<TaskRecord> new_tasks = {};
  std::vector<TaskRecord> changed_tasks = {};
  std::vector<v1::JobEvent> events = {};       // sequence numbers are given by the store
  std::vector<VolumeRecord> new_volumes = {};  // for results
  struct Commit {
    std::string volume_id;
    std::vector<CommittedBox> boxes;
  };
  std::vector<Commit> committed = {};               // boxes of results that became durable
  std::vector<std::string> completed_volumes = {};  // WRITING -> COMPLETE
  // The volume that an import has made: WRITING -> COMPLETE, and from now on an upload of this digest.
  struct Imported {
    std::string volume_id;
    std::string digest;
  };
  std::optional<Imported> imported = {};
  std::vector<std::string> deleted_volumes = {};
  std::vector<PreviewAddition> previews = {};
  std::optional<UsageRecord> usage = {};  // added to what is kept for this owner and month
  std::optional<ShareRecord> share = {};  // replaces the owner's
};

class Store {
 public:
  // Opens or makes the database at `path`, and migrates an older schema forward. FAILED_PRECONDITION with both versions
  // for a newer one. Reads all of it first: STORAGE_FAILURE, saying what to do, where the file is damaged.
  // `vfs` as for Database::Open.
  static absl::StatusOr<std::unique_ptr<Store>> Open(const std::filesystem::path& path, const std::string& vfs = "");
  virtual ~Store() = default;

  // --- requests: what was answered under a caller's request id; forgotten together with what it made ---
  // Inserting under a taken request id changes nothing and is REQUEST_ID_REUSED.
  struct RequestRecord {
    std::string body_digest;  // of the request
    std::string resource_id;  // what it made
  };
  virtual absl::StatusOr<std::optional<RequestRecord>> FindRequest(const std::string& owner,
                                                                   const std::string& request_id) = 0;

  // --- volumes ---
  // `request_id` may be empty for volumes the server makes itself.
  virtual absl::Status InsertVolume(const VolumeRecord& volume, const std::string& request_id,
                                    const std::string& body_digest) = 0;
  virtual absl::StatusOr<VolumeRecord> GetVolume(const std::string& id) = 0;
  virtual absl::StatusOr<std::optional<VolumeRecord>> FindVolumeByDigest(const std::string& owner,
                                                                         const std::string& digest) = 0;
  // The upload of this owner with the most bytes among those that were announced with this digest and are not complete.
  virtual absl::StatusOr<std::optional<VolumeRecord>> FindUnfinishedUpload(const std::string& owner,
                                                                           const std::string& digest) = 0;
  virtual absl::StatusOr<Page<VolumeRecord>> ListVolumes(const std::string& owner, int page_size,
                                                         const std::string& page_token) = 0;
  virtual absl::StatusOr<std::vector<std::string>> AllVolumeIds() = 0;
  virtual absl::Status CommitBoxes(const std::string& volume_id, const std::vector<CommittedBox>& boxes) = 0;
  // Boxes of one frame, or of the whole volume with t = c = -1, in no particular order.
  virtual absl::StatusOr<std::vector<CommittedBox>> GetBoxes(const std::string& volume_id, int64_t t, int64_t c) = 0;
  // Boxes of one frame whose first plane is from `from_z` to before `to_z`, ordered by z, y, x.
  virtual absl::StatusOr<std::vector<CommittedBox>> GetBoxesFrom(const std::string& volume_id, int64_t t, int64_t c,
                                                                 int64_t from_z, int64_t to_z) = 0;
  virtual absl::Status CompleteVolume(const std::string& id, const std::string& digest) = 0;
  // From now on the volume is not found by its digest.
  virtual absl::Status ForgetDigest(const std::string& id) = 0;
  // Moves `last_used` forward to `when`; an earlier time changes nothing.
  virtual absl::Status UseVolume(const std::string& id, absl::Time when) = 0;
  // Marks a result as fetched, which may come before its job has completed it. Without effect on any other volume.
  virtual absl::Status MarkFetched(const std::string& id) = 0;
  virtual absl::StatusOr<Usage> UsageOf(const std::string& owner) = 0;
  // Volumes of a kind that were last used before `before`, which no job that has not ended uses and no PSF or model
  // keeps; the one used longest ago first, at most `limit`.
  virtual absl::StatusOr<std::vector<VolumeRecord>> IdleVolumes(VolumeKind kind, absl::Time before, int limit) = 0;
  // As DeleteVolume, but VOLUME_IN_USE, too, when the volume has been used after `last_used`.
  virtual absl::Status DeleteIdleVolume(const std::string& id, absl::Time last_used) = 0;
  // VOLUME_IN_USE, naming it, while a job that has not ended reads or writes the volume, or a PSF or model keeps it.
  virtual absl::Status DeleteVolume(const std::string& id) = 0;
  // Ids of jobs that have not ended and read or write the volume, oldest first.
  virtual absl::StatusOr<std::vector<std::string>> JobsUsing(const std::string& volume_id) = 0;
  // Ids of the volumes that a job reads or writes; none of an unknown job.
  virtual absl::StatusOr<std::vector<std::string>> VolumesOfJob(const std::string& job_id) = 0;

  // --- PSFs ---
  // Keeps a complete volume of this owner as the next version of a PSF, whose number it gives. The request is known by
  // the volume's id. NOT_FOUND, VOLUME_INCOMPLETE, or VOLUME_IN_USE naming what keeps it already.
  virtual absl::StatusOr<PsfRecord> InsertPsf(PsfRecord psf, const std::string& request_id,
                                              const std::string& body_digest) = 0;
  // `number` 0: the newest version.
  virtual absl::StatusOr<PsfRecord> GetPsf(const std::string& owner, const std::string& id, int64_t number) = 0;
  virtual absl::StatusOr<std::optional<PsfRecord>> FindPsfOfVolume(const std::string& volume_id) = 0;
  // All versions of one PSF, newest first (none is NOT_FOUND); with an empty `id` the newest version of each, by name.
  virtual absl::StatusOr<Page<PsfRecord>> ListPsfs(const std::string& owner, const std::string& id, int page_size,
                                                   const std::string& page_token) = 0;
  // Removes a version with the record of its volume, with `number` 0 all of them; returns the volumes' ids.
  // VOLUME_IN_USE, naming the job, when one that has not ended uses any of them: then nothing is removed.
  virtual absl::StatusOr<std::vector<std::string>> DeletePsf(const std::string& owner, const std::string& id,
                                                             int64_t number) = 0;

  // --- models: as PSFs ---
  virtual absl::StatusOr<ModelRecord> InsertModel(ModelRecord model, const std::string& request_id,
                                                  const std::string& body_digest) = 0;
  virtual absl::StatusOr<ModelRecord> GetModel(const std::string& owner, const std::string& id, int64_t number) = 0;
  virtual absl::StatusOr<std::optional<ModelRecord>> FindModelOfVolume(const std::string& volume_id) = 0;
  virtual absl::StatusOr<Page<ModelRecord>> ListModels(const std::string& owner, const std::string& id, int page_size,
                                                       const std::string& page_token) = 0;
  virtual absl::StatusOr<std::vector<std::string>> DeleteModel(const std::string& owner, const std::string& id,
                                                               int64_t number) = 0;

  // --- jobs and tasks ---
  // NOT_FOUND, too, when a volume that the job reads has been deleted meanwhile.
  virtual absl::Status InsertJob(const JobChange& first, const std::string& request_id,
                                 const std::string& body_digest) = 0;
  virtual absl::StatusOr<JobRecord> GetJob(const std::string& id) = 0;
  virtual absl::StatusOr<Page<JobRecord>> ListJobs(const std::string& owner, int page_size,
                                                   const std::string& page_token, bool unfinished_only) = 0;
  virtual absl::StatusOr<std::vector<JobRecord>> UnfinishedJobs() = 0;  // oldest first
  virtual absl::Status Apply(const JobChange& change) = 0;
  virtual absl::Status DeleteJob(const std::string& id) = 0;
  virtual absl::StatusOr<std::vector<TaskRecord>> GetTasks(const std::string& job_id) = 0;
  // Kept events with a sequence above `after`, in order, at most `limit`.
  virtual absl::StatusOr<std::vector<v1::JobEvent>> GetEvents(const std::string& job_id, uint64_t after, int limit) = 0;
  // Of the newest time point of channel `c` with a finished tile; NOT_FOUND, too, where there is none.
  virtual absl::StatusOr<v1::Preview> GetPreview(const std::string& job_id, uint32_t c) = 0;

  // --- usage ---
  virtual absl::Status AddUsage(const std::vector<UsageRecord>& usage) = 0;
  // By owner and month, of the months from `first` to `last`, which may be empty for no bound.
  virtual absl::StatusOr<std::vector<UsageRecord>> ListUsage(const std::string& first, const std::string& last) = 0;
  virtual absl::StatusOr<std::vector<ShareRecord>> ListShares() = 0;  // by owner

  // --- the server as a whole ---
  virtual absl::Status SetPaused(bool paused) = 0;
  virtual absl::StatusOr<bool> IsPaused() = 0;  // false in a new store
  // A fencing token greater than every one before it, also across restarts.
  virtual absl::StatusOr<uint64_t> NextToken() = 0;

  // --- users and what they show that they are ---
  // ALREADY_EXISTS when there is a user of this id.
  virtual absl::Status InsertUser(const UserRecord& user) = 0;
  virtual absl::StatusOr<UserRecord> GetUser(const std::string& id) = 0;
  virtual absl::Status UpdateUser(const UserRecord& user) = 0;  // all but id and time
  virtual absl::StatusOr<Page<UserRecord>> ListUsers(int page_size, const std::string& page_token) = 0;  // by id
  // What the group weighs from now on, also when nobody is in it any more. NOT_FOUND where nobody is, unless it has a
  // weight of its own, one that is not 1.
  virtual absl::StatusOr<GroupRecord> SetGroupWeight(const std::string& group, double weight) = 0;
  // Those that users are in, and those with a weight of their own; by name.
  virtual absl::StatusOr<Page<GroupRecord>> ListGroups(int page_size, const std::string& page_token) = 0;
  // The token with its number.
  virtual absl::StatusOr<TokenRecord> InsertUserToken(TokenRecord token) = 0;
  virtual absl::StatusOr<std::optional<TokenRecord>> FindUserToken(const std::string& hash) = 0;
  virtual absl::StatusOr<TokenRecord> GetUserToken(const std::string& user_id, int64_t number) = 0;
  virtual absl::StatusOr<Page<TokenRecord>> ListUserTokens(const std::string& user_id, int page_size,
                                                           const std::string& page_token) = 0;
  virtual absl::Status UpdateUserToken(const TokenRecord& token) = 0;  // last use, and whether it is revoked
  // Tokens with which somebody could administer the server at `now`.
  virtual absl::StatusOr<std::vector<TokenRecord>> UsableAdminTokens(absl::Time now) = 0;
};

}  // namespace deconvoy::server

// Volumes: their record in the store joined with their bytes in the spool.
//
// One file per volume under `spool/volumes/`, C order t,c,z,y,x, space reserved before the first byte is accepted.
// A box is committed when its bytes are synced and its CRC-32C is in the store; boxes never overlap and never change,
// except that the very same box with the same bytes is accepted again. Thread safe. Owners are checked above.
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "deconvoy/v1/volumes.pb.h"
#include "server/observe/environment.h"
#include "server/spool/file_system.h"
#include "server/spool/quotas.h"
#include "server/spool/retention.h"
#include "server/store/store.h"

namespace deconvoy::server {

// A record as callers see it, without missing boxes.
v1::Volume ToVolume(const VolumeRecord& record);

// Takes the boxes of one upload and commits them in groups. One per Write stream; Add by one thread at a time and
// Commit by one, which may be another that commits while the next boxes are added. Must not outlive the VolumeStore.
// What was added and not committed is forgotten when it is destroyed.
class VolumeWriter {
 public:
  virtual ~VolumeWriter() = default;
  // Checks and writes one chunk; it is durable only after the next Commit. Errors leave the writer as it was:
  // CHECKSUM_MISMATCH, INVALID_FIELD, BOX_OVERLAPS, DISK_FULL, STORAGE_FAILURE.
  virtual absl::Status Add(const v1::Chunk& chunk) = 0;
  // Syncs and records everything that had been added when it was called. Returns the number of chunks of this writer
  // that are durable. When syncing fails, the writer is spent: what it had not committed is to be sent again to another
  // one.
  virtual absl::StatusOr<int64_t> Commit() = 0;
  virtual int64_t uncommitted_bytes() const = 0;
};

// Told what becomes of uploads, from the threads that write them: it must return at once and not call back. What is
// told is durable already.
class VolumeListener {
 public:
  virtual ~VolumeListener() = default;
  virtual void BoxesCommitted(const std::string& volume_id, const std::vector<CommittedBox>& boxes) = 0;
  virtual void Completed(const std::string& volume_id) = 0;
  // The volume has all of its bytes, but not the digest that was announced: `error` is DIGEST_MISMATCH.
  virtual void DigestMismatched(const std::string& volume_id, const absl::Status& error) = 0;
};

// How far the comparison of a volume with its checksums has come; at first at its beginning.
struct VerifyPlace {
  int64_t frame = 0;               // of the volume, in t,c order
  std::optional<Voxel> last = {};  // the origin of the box of it that was compared last; nothing: none was
};

class VolumeStore {
 public:
  struct Options {
    std::filesystem::path directory;      // the spool
    int64_t keep_free_bytes = 256 << 20;  // of the disk, refused to volumes
    // What users can do when there is no room.
    std::string room_remedy =
        "Remove jobs that have ended, with their volumes: `deconvoy jobs --all` lists them, `deconvoy job NAME "
        "--delete` removes one.";
    QuotaOf quota_of = {};          // empty: nobody has a quota
    RetentionRules retention = {};  // what `expire_time` goes by; a Sweeper removes
  };
  // Makes the folder where needed, removes files that no record names and scratch files left behind. STORAGE_FAILURE,
  // naming it, when the file of a volume is missing or has the wrong size.
  static absl::StatusOr<std::unique_ptr<VolumeStore>> Open(const Options& options, Store& store, FileSystem& files,
                                                           Clock& clock, IdSource& ids);
  virtual ~VolumeStore() = default;

  // Null, as at first: nobody. Must outlive the store, or be taken back. Set while nothing is written.
  virtual void SetListener(VolumeListener* listener) = 0;

  // Creates a volume for an upload, or answers an earlier request or an equal complete volume (see Volumes.Create):
  // same digest, shape, type, voxel size and channels. An upload of the same image that has been left unfinished, and
  // that nobody is writing just now, is answered to go on with. QUOTA_EXCEEDED.
  virtual absl::StatusOr<v1::Volume> Create(const std::string& owner, const v1::CreateVolumeRequest& request) = 0;
  // The owner's complete volume of the same image: digest, shape, type, voxel size and channels. Counts as a use of it.
  virtual absl::StatusOr<std::optional<VolumeRecord>> FindEqual(const std::string& owner,
                                                                const v1::VolumeSpec& spec) = 0;
  // Makes the file of a volume whose record a JobChange is about to insert; removed again by Discard or at the next
  // Open.
  virtual absl::Status Reserve(const std::string& id, const v1::VolumeSpec& spec) = 0;
  // Followers learn that the volume has gone.
  virtual void Discard(const std::string& id) = 0;

  // `missing` is filled only when asked for.
  virtual absl::StatusOr<v1::Volume> Get(const std::string& id, bool with_missing) = 0;
  // VOLUME_COMPLETE for a complete volume; VOLUME_IN_USE for the result of a job, which takes no uploads.
  virtual absl::StatusOr<std::unique_ptr<VolumeWriter>> Write(const std::string& id) = 0;
  // Checks completeness and digest, then completes the volume. Asking again for a complete one only checks the digest.
  virtual absl::StatusOr<v1::Volume> Finish(const std::string& id, const std::string& digest) = 0;
  // VOLUME_IN_USE, naming it, while a job that has not ended uses the volume, or a PSF keeps it.
  virtual absl::Status Delete(const std::string& id) = 0;
  // Of a complete volume, as in VolumeSpec; a job's result is read for it. VOLUME_INCOMPLETE.
  virtual absl::StatusOr<std::string> Digest(const std::string& id) = 0;

  // Removes a volume that has not been used since this record of it was read: VOLUME_IN_USE when it has, or as Delete,
  // or while somebody writes it.
  virtual absl::Status DeleteIdle(const VolumeRecord& volume) = 0;
  // Takes note that a box of a region of whole planes has been sent to its owner, in order. A result all of which was
  // sent is fetched, also where it was sent box by box before its job has completed it.
  virtual void NoteSent(const VolumeRecord& volume, const FrameBox& box) = 0;
  virtual Quotas& quotas() = 0;

  // Compares all bytes of a volume with the checksums that they were stored with, of an unfinished upload those that
  // are committed; unfinished results are not looked at. CORRUPT_DATA naming volume, box and file, after which the
  // volume is not found by its digest any more; CANCELLED when `stop` is requested.
  absl::Status Verify(const std::string& id, const std::stop_token& stop) {
    VerifyPlace place;
    return VerifyFrom(id, place, stop);
  }
  // The same of what comes after `place`, which moves on with every box: after CANCELLED it can be gone on from.
  virtual absl::Status VerifyFrom(const std::string& id, VerifyPlace& place, const std::stop_token& stop) = 0;

  // Sends `region` in chunks to `send`, which may take what it likes of them and returns false to stop (then OK).
  // FAILED_PRECONDITION when some of it is not committed; CORRUPT_DATA, as from Verify, before anything of a damaged
  // box is sent that lies in the region as a whole.
  virtual absl::Status Read(const std::string& id, const v1::Box& region,
                            const std::function<bool(v1::Chunk&)>& send) = 0;
  // Sends what is committed of `regions`, of every frame where there are none, in t,c,z,y order, then further boxes as
  // they are committed, each once for each region that it meets, until all of the regions was sent (OK) or `send`
  // returns false (OK). CANCELLED when `gone` returns true, which it is asked several times in a second, and, as
  // VOLUME_GONE, when the volume is removed; SHUTTING_DOWN after StopFollowing; INVALID_FIELD for a region outside.
  // Blocks the calling thread; nothing is kept but where the boxes of unfinished frames lie, so that a slow reader
  // delays nobody.
  virtual absl::Status Follow(const std::string& id, const std::vector<v1::Box>& regions,
                              const std::function<bool(v1::Chunk&)>& send, const std::function<bool()>& gone) = 0;
  // Tells followers of boxes that a JobChange has committed; those of uploads they are told by themselves.
  virtual void Announce(const std::string& id, const std::vector<CommittedBox>& boxes) = 0;
  // Ends all following. Further calls of Follow send what there is, and end likewise.
  virtual void StopFollowing() = 0;

  // --- for leases ---
  virtual std::filesystem::path PathOf(const std::string& volume_id) const = 0;
  // Path of a new scratch file of `bytes` for the lease with this token; its space is reserved.
  virtual absl::StatusOr<std::filesystem::path> MakeScratch(uint64_t token, int64_t bytes) = 0;
  virtual absl::StatusOr<std::unique_ptr<File>> OpenScratch(uint64_t token, bool writable) = 0;
  virtual void RemoveScratch(uint64_t token) = 0;
  // Copies bytes of the scratch file from `scratch_offset` into `box` of the volume, syncs the volume, and returns the
  // CRC-32C of those bytes. The caller records the box, and transfers no two outputs of one task at a time. Bytes that
  // are committed already are not touched: the same ones are fine, others BOX_OVERLAPS.
  virtual absl::StatusOr<uint32_t> Transfer(uint64_t token, int64_t scratch_offset, const std::string& volume_id,
                                            const v1::VolumeSpec& spec, const FrameBox& box) = 0;

  virtual const std::string& nonce() const = 0;     // content of `nonce` in the spool, made anew at every Open
  virtual absl::StatusOr<int64_t> FreeBytes() = 0;  // that volumes and scratch files may still take
  virtual int64_t UsedBytes() = 0;                  // that they take
  // Whether `bytes` more would fit now; DISK_FULL, saying what to do, when not. Reserves nothing.
  virtual absl::Status CheckRoom(int64_t bytes) = 0;
};

}  // namespace deconvoy::server

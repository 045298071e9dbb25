// The volume store over a spool folder: `volumes/<id>.raw`, `scratch/<token>.raw`, `nonce`. See docs/formats/spool.md.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "server/spool/aligned_buffers.h"
#include "server/spool/fetch_tracker.h"
#include "server/spool/plane_digests.h"
#include "server/spool/space.h"
#include "server/spool/stored_boxes.h"
#include "server/spool/upload.h"
#include "server/spool/volume_changes.h"
#include "server/spool/volume_store.h"

namespace deconvoy::server {

class SpoolVolumeStore final : public VolumeStore {
 public:
  SpoolVolumeStore(const Options& options, Store& store, FileSystem& files, Clock& clock, IdSource& ids);

  // Brings the folder in order; the first call.
  absl::Status Prepare();

  void SetListener(VolumeListener* listener) override { listener_ = listener; }
  absl::StatusOr<v1::Volume> Create(const std::string& owner, const v1::CreateVolumeRequest& request) override;
  absl::StatusOr<std::optional<VolumeRecord>> FindEqual(const std::string& owner, const v1::VolumeSpec& spec) override;
  absl::Status Reserve(const std::string& id, const v1::VolumeSpec& spec) override;
  void Discard(const std::string& id) override;
  absl::StatusOr<v1::Volume> Get(const std::string& id, bool with_missing) override;
  absl::StatusOr<std::unique_ptr<VolumeWriter>> Write(const std::string& id) override;
  absl::StatusOr<v1::Volume> Finish(const std::string& id, const std::string& digest) override;
  absl::Status Delete(const std::string& id) override;
  absl::StatusOr<std::string> Digest(const std::string& id) override;
  absl::Status DeleteIdle(const VolumeRecord& volume) override;
  void NoteSent(const VolumeRecord& volume, const FrameBox& box) override;
  Quotas& quotas() override { return quotas_; }
  absl::Status VerifyFrom(const std::string& id, VerifyPlace& place, const std::stop_token& stop) override;
  absl::Status Read(const std::string& id, const v1::Box& region, const std::function<bool(v1::Chunk&)>& send) override;

  absl::Status Follow(const std::string& id, const std::vector<v1::Box>& regions,
                      const std::function<bool(v1::Chunk&)>& send, const std::function<bool()>& gone) override;
  void Announce(const std::string& id, const std::vector<CommittedBox>& boxes) override { changes_.Commit(id, boxes); }
  void StopFollowing() override { changes_.Stop(); }

  std::filesystem::path PathOf(const std::string& volume_id) const override;
  absl::StatusOr<std::filesystem::path> MakeScratch(uint64_t token, int64_t bytes) override;
  absl::StatusOr<std::unique_ptr<File>> OpenScratch(uint64_t token, bool writable) override;
  void RemoveScratch(uint64_t token) override;
  absl::StatusOr<uint32_t> Transfer(uint64_t token, int64_t scratch_offset, const std::string& volume_id,
                                    const v1::VolumeSpec& spec, const FrameBox& box) override;

  const std::string& nonce() const override { return nonce_; }
  absl::StatusOr<int64_t> FreeBytes() override { return space_.FreeBytes(); }
  int64_t UsedBytes() override { return space_.UsedBytes(); }
  absl::Status CheckRoom(int64_t bytes) override { return space_.CheckRoom(bytes); }

 private:
  // --- Prepare ---
  absl::Status RemoveScratchFiles();
  absl::Status RemoveStrayVolumes();
  absl::Status CheckVolumes();
  absl::Status WriteNonce();

  // --- Create ---
  absl::StatusOr<v1::Volume> AnswerAgain(const Store::RequestRecord& earlier, const std::string& body_digest,
                                         const std::string& request_id);
  absl::StatusOr<std::optional<VolumeRecord>> FindUnfinished(const std::string& owner, const v1::VolumeSpec& spec);
  absl::Status Insert(const VolumeRecord& record, const std::string& request_id, const std::string& body_digest);

  // --- Finish ---
  absl::StatusOr<std::vector<FrameBox>> Missing(const VolumeRecord& volume, size_t limit);
  absl::Status CheckNothingMissing(const VolumeRecord& volume);
  absl::Status CheckWritten(const VolumeRecord& volume, const std::string& actual, const std::string& announced);
  // A complete volume of the same owner with the same bytes, because the image was sent twice at once.
  std::optional<std::string> TwinOf(const VolumeRecord& volume, const std::string& digest);
  // Makes both volumes name one file from here on: that of `twin`, which was complete first.
  void ShareBytes(const std::string& id, const std::string& twin);
  absl::StatusOr<std::string> ComputeDigest(const VolumeRecord& volume);

  // --- checksums (spool_verify.cc) ---
  absl::Status CheckBytes(const VolumeRecord& volume, const File& file, const CommittedBox& box);
  absl::Status Damaged(const VolumeRecord& volume, const CommittedBox& box, uint32_t actual);
  void ForgetThoseThatShare(const VolumeRecord& volume);

  // Takes note that a volume is used, if that was not just noted.
  void NoteUse(VolumeRecord& volume);
  bool IsBeingWritten(const std::string& id);
  absl::Status CheckCovered(const VolumeRecord& volume, const FrameBox& region);
  // The bytes of a piece, compared with the checksums of the boxes that end with it.
  absl::Status ReadPiece(const VolumeRecord& volume, const Shape5& shape, const File& file, const FrameBox& piece,
                         StoredBoxes& stored, v1::Chunk& chunk);
  // REQUIRES: the region is committed.
  absl::Status Send(const VolumeRecord& volume, const FrameBox& region, const std::function<bool(v1::Chunk&)>& send);
  // `status`, unless it is an error because the volume is not there any more.
  absl::Status OrGone(const std::string& id, absl::Status status);
  absl::StatusOr<v1::Volume> Describe(const VolumeRecord& volume, bool with_missing);
  std::filesystem::path ScratchPath(uint64_t token) const;
  std::shared_ptr<BoxClaims> ClaimsOf(const std::string& volume_id);
  std::shared_ptr<PlaneDigests> DigestsOf(const std::string& volume_id);
  void ForgetDigestsOf(const std::string& volume_id);

  const Options options_;
  Store& store_;
  FileSystem& files_;
  Clock& clock_;
  IdSource& ids_;
  std::string nonce_;
  SpoolSpace space_;
  VolumeChanges changes_;
  Quotas quotas_;
  FetchTracker fetches_;
  VolumeListener* listener_ = nullptr;
  AlignedBuffers buffers_;
  std::mutex mutex_;
  // --- guarded by mutex_ ---
  std::map<std::string, std::weak_ptr<BoxClaims>> claims_;        // of volumes that are being uploaded
  std::map<std::string, std::shared_ptr<PlaneDigests>> digests_;  // of volumes whose upload has not ended, some of them
};

}  // namespace deconvoy::server

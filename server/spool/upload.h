// Uploads into one volume: the boxes that its write streams have claimed and committed, and the writer of one stream.
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "server/spool/aligned_buffers.h"
#include "server/spool/beside.h"
#include "server/spool/box_index.h"
#include "server/spool/file_system.h"
#include "server/spool/plane_digests.h"
#include "server/spool/volume_changes.h"
#include "server/spool/volume_store.h"
#include "server/store/store.h"

namespace deconvoy::server {

// Guards the boxes of one volume among all its writers, so that no two different boxes ever touch the same voxels.
// Thread safe.
class BoxClaims {
 public:
  BoxClaims(std::string volume_id, Store& store) : volume_id_(std::move(volume_id)), store_(store) {}

  enum class Claim {
    kWrite,    // the caller holds a claim and writes the bytes
    kDurable,  // the same bytes are committed already; there is nothing to do
  };
  // Claims a box. Writers that send the same box with the same bytes share it. BOX_OVERLAPS for anything else that
  // meets a box committed or claimed.
  absl::StatusOr<Claim> Add(const CommittedBox& box);
  // Gives claims up, each once.
  void Release(const std::vector<CommittedBox>& boxes);
  // Turns claims into committed boxes, after the store has recorded them.
  void MarkCommitted(const std::vector<CommittedBox>& boxes);

 private:
  using Frame = std::pair<int64_t, int64_t>;                              // t, c
  using Place = std::tuple<int64_t, int64_t, int64_t, int64_t, int64_t>;  // t, c, z, y, x of a box's origin

  static Place PlaceOf(const FrameBox& box);
  absl::StatusOr<BoxIndex*> LoadLocked(const Frame& frame);
  void ReleaseLocked(const CommittedBox& box);

  const std::string volume_id_;
  Store& store_;
  std::mutex mutex_;
  // --- guarded by mutex_ ---
  std::map<Frame, BoxIndex> committed_;  // of frames used lately; the store knows them all
  std::map<Frame, BoxIndex> claimed_;
  std::map<Place, int> holders_;  // how many writers share each claim
};

// What the uploads of a volume share with all others, or with each other.
struct UploadContext {
  std::shared_ptr<BoxClaims> claims;
  std::shared_ptr<PlaneDigests> digests;
  AlignedBuffers& buffers;
  Store& store;
  VolumeChanges& changes;
  VolumeListener* listener = nullptr;  // may be null
  std::function<void()> committed;     // called after each commit that has brought something
};

// Writes chunks into the volume's file: long pieces past the page cache, so that they take neither the time to be
// copied there nor its room, and are all but durable at once. Planes are digested meanwhile.
class UploadWriter final : public VolumeWriter {
 public:
  UploadWriter(VolumeRecord volume, const Shape5& shape, std::unique_ptr<File> file, UploadContext context);
  ~UploadWriter() override;

  absl::Status Add(const v1::Chunk& chunk) override;
  absl::StatusOr<int64_t> Commit() override;
  int64_t uncommitted_bytes() const override { return uncommitted_bytes_; }

 private:
  // Claimed and written, not committed.
  struct Group {
    std::vector<CommittedBox> boxes;
    std::vector<PlaneDigest> planes;  // that are whole with these boxes
    int64_t bytes = 0;
  };

  absl::Status WriteBox(const FrameBox& box, std::span<const std::byte> bytes, std::vector<PlaneDigest>& planes);
  absl::Status WriteRun(int64_t offset, std::span<const std::byte> bytes);
  absl::Status Record(const Group& group);

  const VolumeRecord volume_;
  const Shape5 shape_;
  const std::unique_ptr<File> file_;
  const UploadContext context_;

  PlaneHasher hasher_;  // of the adding thread, and of what it waits for
  Beside beside_;

  std::atomic<int64_t> uncommitted_bytes_ = 0;
  std::mutex mutex_;
  // --- guarded by mutex_ ---
  Group held_;
  int64_t chunks_ = 0;    // added so far
  absl::Status failure_;  // once syncing has failed, nothing written before can be trusted
};

}  // namespace deconvoy::server

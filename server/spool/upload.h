// Uploads into one volume: the boxes that its write streams have claimed and committed, and the writer of one stream.
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "server/spool/box_index.h"
#include "server/spool/file_system.h"
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

// Writes chunks into the volume's file. One thread at a time.
class UploadWriter final : public VolumeWriter {
 public:
  // `listener` may be null. `committed` is called after each commit that has brought something.
  UploadWriter(VolumeRecord volume, std::unique_ptr<File> file, std::shared_ptr<BoxClaims> claims, Store& store,
               VolumeChanges& changes, VolumeListener* listener, std::function<void()> committed);
  ~UploadWriter() override;

  absl::Status Add(const v1::Chunk& chunk) override;
  absl::StatusOr<int64_t> Commit() override;
  int64_t uncommitted_bytes() const override { return uncommitted_bytes_; }

 private:
  absl::Status WriteBytes(const FrameBox& box, const std::string& data);

  const VolumeRecord volume_;
  const std::unique_ptr<File> file_;
  const std::shared_ptr<BoxClaims> claims_;
  Store& store_;
  VolumeChanges& changes_;
  VolumeListener* const listener_;
  const std::function<void()> committed_;
  std::vector<CommittedBox> held_;  // claimed and written, not committed
  int64_t uncommitted_bytes_ = 0;
  int64_t chunks_ = 0;    // added so far
  absl::Status failure_;  // once syncing has failed, nothing written before can be trusted
};

}  // namespace deconvoy::server

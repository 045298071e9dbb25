// Input that one thread reads ahead and another one takes.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <mutex>
#include <span>
#include <vector>

#include "worker/pipeline/task_context.h"
#include "worker/session/footprint.h"

namespace deconvoy::worker {

// Holds boxes of volumes in memory, slab by slab as they come, and gives each slab's memory back once it was read.
// Whatever it does not hold is read from the source behind it, also when reading ahead has failed. Thread safe, as far
// as that source is.
class StagedSource : public VolumeSource {
 public:
  // `next` must outlive the object.
  explicit StagedSource(VolumeSource& next) : next_(next) {}

  // Announces what Fill will bring: from now on a Read inside these boxes waits for it. Call once, before Fill. The
  // volumes must outlive the object.
  void Announce(const std::vector<InputBox>& boxes);
  // Brings it, in order; returns when all is there, or on the first error, or after Close. Readers wait no longer then.
  // Errors: those of the source behind it, OUT_OF_MEMORY.
  absl::Status Fill();
  // Nobody reads any more: Fill ends soon, and what it has brought is forgotten.
  void Close();

  // Errors: those of the source behind it.
  absl::Status Read(const v1::VolumeAccess& volume, const FrameBox& box, std::span<std::byte> target) override;

 private:
  struct Slab {
    Box3 box;
    std::vector<std::byte> bytes;
  };
  // One announced box. Its slabs are some of its planes in order, without gaps; those before them were read.
  struct Region {
    InputBox input;
    int64_t begin = 0;  // first plane that is here or is to come
    int64_t end = 0;    // after the last plane that is here
    std::deque<Slab> slabs;
  };

  absl::Status FillRegions();
  absl::Status FillRegion(Region& region);
  bool IsOver();
  // REQUIRES for the next three: mutex_ is held.
  Region* Find(const v1::VolumeAccess& volume, const FrameBox& box);
  static void Copy(const Region& region, const Box3& box, std::span<std::byte> target);
  static void Forget(Region& region, int64_t before);

  VolumeSource& next_;

  std::mutex mutex_;
  std::condition_variable changed_;
  // Guarded by mutex_. A region's input is constant, and regions neither come nor go after Announce.
  std::deque<Region> regions_;
  bool over_ = false;  // nothing more comes
};

}  // namespace deconvoy::worker

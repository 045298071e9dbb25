// Reading volumes while they are written.
#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "proto/contract/error.h"
#include "proto/contract/resource_name.h"
#include "proto/contract/status_macros.h"
#include "proto/contract/volume_layout.h"
#include "server/spool/spool_volume_store.h"

namespace deconvoy::server {
namespace {

constexpr std::chrono::milliseconds kLookAround{250};  // how often a follower checks whether it is still wanted

// What is wanted of one frame.
struct FollowedFrame {
  std::vector<Box3> regions;
  int64_t remaining = 0;       // voxels of the regions that have not been sent
  std::vector<int64_t> known;  // where the boxes begin that have been looked at, rising
};

// The frames that somebody follows: those of their regions, else all. Of all, of which there may be a million, only
// those are held that have been begun.
class FollowedFrames {
 public:
  static absl::StatusOr<FollowedFrames> Of(const std::vector<v1::Box>& regions, const Shape5& shape) {
    FollowedFrames frames(shape, regions.empty());
    for (const v1::Box& region : regions) {
      RETURN_IF_ERROR(CheckBox(region, shape, "region"));
      const FrameBox box = ToFrameBox(region);
      frames.Add(box.t * shape.c + box.c, box.box);
    }
    return frames;
  }

  int64_t left() const { return left_; }
  // The first frame from `number` on that is not sent as a whole; none: the number of frames.
  int64_t Next(int64_t number) const {
    const auto first = wanted_.begin() + static_cast<std::ptrdiff_t>(number);
    return std::find(first, wanted_.end(), true) - wanted_.begin();
  }
  bool Wants(int64_t number) const { return wanted_[static_cast<size_t>(number)]; }
  // Begins it where that is needed. Valid until Sent. REQUIRES: it is wanted.
  FollowedFrame& Begun(int64_t number) {
    if (all_ && !begun_.contains(number))
      begun_[number] = {.regions = {{{}, shape_}}, .remaining = shape_.voxels(), .known = {}};
    return begun_[number];
  }
  // A frame is over.
  void Sent(int64_t number) {
    wanted_[static_cast<size_t>(number)] = false;
    begun_.erase(number);
    --left_;
  }

 private:
  FollowedFrames(const Shape5& shape, bool all)
      : shape_(shape.frame()),
        all_(all),
        wanted_(static_cast<size_t>(shape.frames()), all),
        left_(all ? shape.frames() : 0) {}

  void Add(int64_t number, const Box3& region) {
    left_ += wanted_[static_cast<size_t>(number)] ? 0 : 1;
    wanted_[static_cast<size_t>(number)] = true;
    begun_[number].regions.push_back(region);
    begun_[number].remaining += region.shape.voxels();
  }

  Shape3 shape_;
  bool all_;
  std::vector<bool> wanted_;  // by frame, channels of a time point one after the other
  int64_t left_;              // of them
  std::map<int64_t, FollowedFrame> begun_;
};

// Of those that are committed now the boxes that were not before, in z,y,x order.
std::vector<FrameBox> NewBoxes(const std::vector<CommittedBox>& committed, const Shape3& shape, FollowedFrame& frame) {
  std::map<int64_t, FrameBox> by_place;
  for (const CommittedBox& box : committed) {
    const Voxel& origin = box.box.box.origin;
    by_place.emplace((origin.z * shape.y + origin.y) * shape.x + origin.x, box.box);
  }
  std::vector<FrameBox> boxes;
  std::vector<int64_t> places;
  for (const auto& [place, box] : by_place) {
    if (!std::binary_search(frame.known.begin(), frame.known.end(), place)) boxes.push_back(box);
    places.push_back(place);
  }
  frame.known = std::move(places);
  return boxes;
}

}  // namespace

absl::Status SpoolVolumeStore::OrGone(const std::string& id, absl::Status status) {
  if (status.ok() || ReasonOf(store_.GetVolume(id).status()) != v1::NOT_FOUND) return status;
  return MakeError({.reason = v1::VOLUME_GONE,
                    .field = "volume",
                    .remedy = "Look at its job, if it is a result: it has failed or was cancelled, or somebody has "
                              "deleted the volume."},
                   fmt::format("{} was removed while it was read", VolumeName(id)));
}

absl::Status SpoolVolumeStore::Follow(const std::string& id, const std::vector<v1::Box>& regions,
                                      const std::function<bool(v1::Chunk&)>& send, const std::function<bool()>& gone) {
  // Before the record is read, so that nothing comes in between unheard.
  VolumeChanges::Follower follower(changes_, id);
  ASSIGN_OR_RETURN(VolumeRecord volume, store_.GetVolume(id));
  ASSIGN_OR_RETURN(const Shape5 shape, ToShape(volume.spec.shape(), volume.spec.type(), "spec.shape"));
  ASSIGN_OR_RETURN(FollowedFrames frames, FollowedFrames::Of(regions, shape));
  bool heard = true;
  const auto hear = [&](v1::Chunk& chunk) { return heard = send(chunk); };
  // Sends what is new of one frame.
  const auto advance = [&](int64_t number) -> absl::Status {
    const int64_t t = number / shape.c, c = number % shape.c;
    ASSIGN_OR_RETURN(const std::vector<CommittedBox> committed, store_.GetBoxes(id, t, c));
    if (committed.empty()) return absl::OkStatus();
    FollowedFrame& frame = frames.Begun(number);
    for (const FrameBox& box : NewBoxes(committed, shape.frame(), frame)) {
      for (const Box3& region : frame.regions) {
        const Box3 part = Intersect(region, box.box);
        if (part.empty() || !heard) continue;
        NoteUse(volume);
        RETURN_IF_ERROR(Send(volume, {t, c, part}, hear));
        frame.remaining -= part.shape.voxels();
      }
    }
    if (frame.remaining == 0) frames.Sent(number);
    return absl::OkStatus();
  };
  const auto visit = [&](int64_t number) -> absl::Status {
    if (frames.Wants(number)) RETURN_IF_ERROR(OrGone(id, advance(number)));
    return heard && gone() ? absl::CancelledError("the reader has left") : absl::OkStatus();
  };
  if (volume.committed_bytes > 0) {
    for (int64_t number = frames.Next(0); heard && number < shape.frames(); number = frames.Next(number + 1))
      RETURN_IF_ERROR(visit(number));
  }
  VolumeChanges::News news;
  while (true) {
    for (const auto& [t, c] : news.frames) {
      if (heard) RETURN_IF_ERROR(visit(t * shape.c + c));
    }
    if (!heard || frames.left() == 0) return absl::OkStatus();
    if (news.removed) return OrGone(id, absl::CancelledError("the volume was removed"));
    if (news.stopped) {
      return MakeError({.reason = v1::SHUTTING_DOWN, .remedy = "Read again in a moment."}, "the server is stopping");
    }
    do {
      if (gone()) return absl::CancelledError("the reader has left");
      news = follower.Wait(kLookAround);
    } while (!news.any());
  }
}

}  // namespace deconvoy::server

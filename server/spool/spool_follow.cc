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

using FollowedFrames = std::map<VolumeChanges::Frame, FollowedFrame>;

absl::StatusOr<FollowedFrames> FramesOf(const std::vector<v1::Box>& regions, const Shape5& shape) {
  FollowedFrames frames;
  for (const v1::Box& region : regions) {
    RETURN_IF_ERROR(CheckBox(region, shape, "region"));
    const FrameBox box = ToFrameBox(region);
    FollowedFrame& frame = frames[{box.t, box.c}];
    frame.regions.push_back(box.box);
    frame.remaining += box.box.shape.voxels();
  }
  return frames;
}

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
                                      const std::function<bool(v1::Chunk)>& send, const std::function<bool()>& gone) {
  // Before the record is read, so that nothing comes in between unheard.
  VolumeChanges::Follower follower(changes_, id);
  ASSIGN_OR_RETURN(VolumeRecord volume, store_.GetVolume(id));
  ASSIGN_OR_RETURN(const Shape5 shape, ToShape(volume.spec.shape(), volume.spec.type(), "spec.shape"));
  ASSIGN_OR_RETURN(FollowedFrames frames, FramesOf(regions, shape));
  bool heard = true;
  const auto hear = [&](v1::Chunk chunk) { return heard = send(std::move(chunk)); };
  // Sends what is new of one frame.
  const auto advance = [&](FollowedFrames::iterator at) -> absl::Status {
    const auto [t, c] = at->first;
    FollowedFrame& frame = at->second;
    ASSIGN_OR_RETURN(const std::vector<CommittedBox> committed, store_.GetBoxes(id, t, c));
    for (const FrameBox& box : NewBoxes(committed, shape.frame(), frame)) {
      for (const Box3& region : frame.regions) {
        const Box3 part = Intersect(region, box.box);
        if (part.empty() || !heard) continue;
        NoteUse(volume);
        RETURN_IF_ERROR(Send(volume, {t, c, part}, hear));
        frame.remaining -= part.shape.voxels();
      }
    }
    if (frame.remaining == 0) frames.erase(at);
    return absl::OkStatus();
  };
  VolumeChanges::News news;
  if (volume.committed_bytes > 0) {
    for (const auto& [frame, wanted] : frames) news.frames.insert(frame);
  }
  while (true) {
    for (const VolumeChanges::Frame& frame : news.frames) {
      if (const auto at = frames.find(frame); at != frames.end()) RETURN_IF_ERROR(OrGone(id, advance(at)));
      if (!heard) return absl::OkStatus();
      if (gone()) return absl::CancelledError("the reader has left");
    }
    if (frames.empty()) return absl::OkStatus();
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

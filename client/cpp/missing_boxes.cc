#include "client/cpp/missing_boxes.h"

#include <algorithm>

#include "proto/contract/volume_layout.h"

namespace deconvoy::client {
namespace {

constexpr int kMostListed = 1000;

}  // namespace

MissingBoxes::MissingBoxes(const v1::Volume& volume) {
  for (const v1::Box& box : volume.missing()) boxes_.push_back(ToFrameBox(box));
  if (volume.missing_size() >= kMostListed) last_ = Place(boxes_.back());
}

bool MissingBoxes::Misses(const FrameBox& piece) const {
  if (last_ && Place(piece) >= *last_) return true;
  return std::any_of(boxes_.begin(), boxes_.end(), [&piece](const FrameBox& box) {
    return box.t == piece.t && box.c == piece.c && !Intersect(box.box, piece.box).empty();
  });
}

}  // namespace deconvoy::client

#include "server/api/received_boxes.h"

#include <algorithm>
#include <tuple>

namespace deconvoy::server {

ReceivedBoxes::ReceivedBoxes(const v1::DeconvolveHeader& header, const v1::Shape5& shape) : shape_(shape) {
  for (const v1::Box& box : header.received()) Add(box, 1);
  for (const v1::BoxSeries& series : header.received_series()) Add(series.box(), series.times());
  std::sort(intervals_.begin(), intervals_.end(),
            [](const Interval& a, const Interval& b) { return std::tie(a.place, a.from) < std::tie(b.place, b.from); });
  size_t kept = 0;
  for (const Interval& next : intervals_) {
    if (kept > 0 && intervals_[kept - 1].place == next.place && next.from <= intervals_[kept - 1].to) {
      intervals_[kept - 1].to = std::max(intervals_[kept - 1].to, next.to);
    } else {
      intervals_[kept++] = next;
    }
  }
  intervals_.resize(kept);
}

bool ReceivedBoxes::Contains(const v1::Box& box) const {
  const uint64_t place = PlaceOf(box), t = box.t();
  const auto after = std::partition_point(intervals_.begin(), intervals_.end(), [&](const Interval& interval) {
    return std::tie(interval.place, interval.from) <= std::tie(place, t);
  });
  return after != intervals_.begin() && std::prev(after)->place == place && t < std::prev(after)->to;
}

uint64_t ReceivedBoxes::PlaceOf(const v1::Box& box) const {
  return ((uint64_t{box.c()} * shape_.z() + box.z()) * shape_.y() + box.y()) * shape_.x() + box.x();
}

void ReceivedBoxes::Add(const v1::Box& box, uint32_t times) {
  intervals_.push_back({.place = PlaceOf(box), .from = box.t(), .to = uint64_t{box.t()} + times});
}

}  // namespace deconvoy::server

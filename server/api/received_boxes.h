// Boxes of the result that a caller has named as received, as intervals of time points.
#pragma once

#include <cstdint>
#include <vector>

#include "deconvoy/v1/deconvolution.pb.h"

namespace deconvoy::server {

// Keeps some bytes for each box and series that is named, whatever the number of time points. Thread safe once made.
class ReceivedBoxes {
 public:
  ReceivedBoxes() = default;
  // `shape`: of the result. Boxes are known by the place of their first voxel.
  ReceivedBoxes(const v1::DeconvolveHeader& header, const v1::Shape5& shape);

  bool Contains(const v1::Box& box) const;

 private:
  struct Interval {
    uint64_t place = 0;         // of the first voxel among those of a time point
    uint64_t from = 0, to = 0;  // time points, without the last
  };

  uint64_t PlaceOf(const v1::Box& box) const;
  void Add(const v1::Box& box, uint32_t times);

  v1::Shape5 shape_;
  std::vector<Interval> intervals_;  // by place and time, none touching another
};

}  // namespace deconvoy::server

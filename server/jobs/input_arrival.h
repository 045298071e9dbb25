// Which planes of a volume that is being written are durable: what decides when tasks have their input.
//
// Planes count as a whole: one is there when all of its voxels are. Memory is for the frames of which something is
// there and something is missing. Not thread safe.
#pragma once

#include <boost/dynamic_bitset.hpp>
#include <cstdint>
#include <map>
#include <set>
#include <tuple>
#include <utility>
#include <vector>

#include "deconvoy/v1/volumes.pb.h"
#include "proto/contract/geometry.h"

namespace deconvoy::server {

class InputArrival {
 public:
  explicit InputArrival(const v1::Shape5& shape);

  // Takes note of boxes that are durable. Those of one volume never overlap; the same one may come again.
  void Add(const std::vector<FrameBox>& boxes);
  // The volume is complete: nothing comes any more.
  void Complete() { complete_ = true; }

  bool complete() const { return complete_; }
  // Whether the planes [begin, end) of a frame are there.
  bool Has(int64_t t, int64_t c, int64_t begin, int64_t end) const;
  int64_t planes() const { return complete_ ? all_planes() : planes_; }  // that are there, of all frames
  int64_t all_planes() const { return shape_.frames() * shape_.z; }

 private:
  // A frame that has begun.
  struct Frame {
    std::vector<int64_t> missing_voxels;                    // of each plane
    std::set<std::tuple<int64_t, int64_t, int64_t>> boxes;  // origins of those that have been counted
    int64_t missing_planes = 0;
  };

  void AddBox(const FrameBox& box);

  Shape5 shape_;
  bool complete_ = false;
  int64_t planes_ = 0;
  boost::dynamic_bitset<> whole_;     // frames, t,c order
  std::map<int64_t, Frame> partial_;  // by number in that order
};

}  // namespace deconvoy::server

// Whether the specimen moved between neighbouring planes or time points (worker/imaging/motion.h), and where it was.
//
// The planes of the first time point are followed one by one, those of all time points where motion is corrected. Over
// time, up to 200 time points are: along y and x by the sums of their planes, where motion is corrected without those
// that have jumped away from where the stack is; and along z, where there are 16 to 1024 planes, by the sums of all
// rows of each.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <vector>

#include "deconvoy/v1/jobs.pb.h"
#include "proto/contract/geometry.h"
#include "worker/imaging/motion.h"

namespace deconvoy::worker {

// Takes the planes of one channel, t after t. Not thread safe.
class MotionSurvey {
 public:
  // `shape` of the channel's frames.
  MotionSurvey(int64_t c, int64_t frames, const Shape3& shape, bool corrects);

  // Memory that one takes at most.
  static int64_t Bytes(int64_t frames, const Shape3& shape, bool corrects);

  // REQUIRES: planes in their order, shape.y * shape.x values.
  void AddPlane(int64_t t, int64_t z, std::span<const float> photons);
  // Where planes jump, and where the specimen drifts by more than a voxel.
  std::vector<v1::Finding> Findings() const;
  // Writes where the voxels of time point `t` were recorded. REQUIRES: motion is corrected; all planes were added.
  void Tell(int64_t t, v1::FrameStatistics& frame) const;

 private:
  bool FollowsDepth() const { return !rows_.empty(); }
  int64_t DepthAt(int64_t t) const;
  void FollowTime(int64_t t, int64_t z, std::span<const float> photons);
  bool KeepsPlanes(int64_t t) const { return corrects_ && frames_ > 1 && shape_.z > 1 && t % every_ == 0; }
  void AddInPlace(const PlaneMotion& motion);
  void AddRows(int64_t z, std::span<const float> photons);
  void EndStack(int64_t t);
  double Least() const;
  void AddJumps(std::vector<v1::Finding>& findings) const;
  void AddDrift(std::vector<v1::Finding>& findings) const;
  void AddRest(std::vector<v1::Finding>& findings) const;

  const int64_t c_, frames_, every_;  // time points that are followed: each `every_`-th
  const Shape3 shape_;
  const bool looks_, corrects_;
  const int64_t columns_of_sum_;  // columns that are added up in the sums of rows
  ShiftFinder planes_;
  std::vector<PlaneStep> steps_;            // of the stack that is being followed
  std::vector<std::vector<float>> binned_;  // its planes, where they are needed once its jumps are known
  MotionTrack times_;
  // Sums of rows, of the first and of the last time point; empty where z is not followed. And planes that each time
  // point that was followed has moved along z.
  std::vector<float> first_rows_, rows_;
  std::vector<int64_t> depths_;
  // Of all stacks that were followed.
  int64_t jumps_ = 0;
  PlaneStep largest_;
  int64_t largest_time_ = 0;
  std::map<int64_t, std::vector<Shift>> displaced_;  // by time point; planes where some are
};

}  // namespace deconvoy::worker

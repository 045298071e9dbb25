// Whether the specimen moved between neighbouring planes or time points (worker/imaging/shift.h). Reported only: the
// result is that of the image as it is.
//
// Along z the planes of the first time point are followed, over time the sums of up to 8 planes around the middle of up
// to 200 time points.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "deconvoy/v1/jobs.pb.h"
#include "proto/contract/geometry.h"
#include "worker/imaging/shift.h"

namespace deconvoy::worker {

// Takes the planes of one channel, t after t. Not thread safe.
class MotionSurvey {
 public:
  static constexpr int64_t kBytes = 2 * ShiftFinder::kBytes;

  // `shape` of the channel's frames.
  MotionSurvey(int64_t c, int64_t frames, const Shape3& shape);

  // REQUIRES: planes in their order, shape.y * shape.x values.
  void AddPlane(int64_t t, int64_t z, std::span<const float> photons);
  // Where planes jump, and where the specimen drifts by more than a voxel.
  std::vector<v1::Finding> Findings() const;

 private:
  // Step `to` - 1 to `to`.
  struct Step {
    int64_t to = 0;
    Shift shift;
  };

  void EndFrame(int64_t t);
  double Least() const;
  void AddJumps(std::vector<v1::Finding>& findings) const;
  void AddDrift(std::vector<v1::Finding>& findings) const;

  const int64_t c_, frames_, every_;  // time points that are followed: each `every_`-th
  const Shape3 shape_;
  const bool looks_;
  ShiftFinder planes_, times_;
  std::vector<Step> plane_steps_, time_steps_;
};

}  // namespace deconvoy::worker

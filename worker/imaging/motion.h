// Where a specimen is in each plane of a stack and at each time point, from shifts between them (shift.h).
//
// Planes. Structures that run obliquely move from plane to plane, too, but from each to the next about as from the one
// before: only what a step differs from the median of the up to four steps on either side of it is taken for motion,
// and only where that is more than `least` and six times what is usual in the stack (1.4826 times the median of its
// size). And where other structures begin the planes are not much more alike after they are moved back: motion leaves
// less than 0.75 of what they differ (1 minus Shift::alike). Such jumps add up from plane to plane; a stack is where
// most of its planes are.
//
// Time points. Each is held against the one before and against the first; the latter is taken, which errors do not add
// up in, unless it is uncertain or they disagree, as when the specimen has changed its looks.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "worker/imaging/shift.h"

namespace deconvoy::worker {

// Of plane `to` against the one before it.
struct PlaneStep {
  int64_t to = 0;
  Shift shift;
};

struct PlaneMotion {
  int64_t jumps = 0;
  PlaneStep largest;  // of the jumps, as it was found
  // Of each plane against where the stack is; empty without a jump. Planes whose step was not found stay with the one
  // before.
  std::vector<Shift> planes;
};

// `steps` of a stack of `planes` planes, rising; those that were found. With fewer than four there are no jumps.
PlaneMotion FindJumps(std::span<const PlaneStep> steps, int64_t planes, double least);

// Follows the time points of a series. Not thread safe.
class MotionTrack {
 public:
  // Of images of so many rows and columns, both at least 16.
  MotionTrack(int64_t rows, int64_t columns) : finder_(rows, columns) {}

  // Adds to the image of the next time point. REQUIRES: rows * columns values.
  void Add(std::span<const float> image) { finder_.Add(image); }
  // The same of what another finder has binned (shift.h).
  void AddBins(std::span<const float> bins) { finder_.AddBins(bins); }
  // Ends the image of time point `t`. REQUIRES: rising.
  void EndTime(int64_t t);

  // Where the specimen is at `t`, against the first time point: between those that were followed on a line.
  Shift At(int64_t t) const;
  // Of all places the furthest from the first; and the largest step from one to the next.
  Shift Furthest() const;
  double LargestStep() const;
  // Voxels of a bin (shift.h).
  int64_t bin() const { return finder_.bin(); }

 private:
  ShiftFinder finder_;
  std::vector<int64_t> times_;
  std::vector<Shift> places_;
};

// How many planes a stack has moved along z: the shift at most `reach` from `guess` at which sums of its rows (`later`,
// one row for each of `planes` planes) are most like those of the first time point, by Pearson's correlation of the
// planes that both have, at least half of them. `guess`, unless another shift leaves a tenth less unexplained.
int64_t DepthShift(std::span<const float> first, std::span<const float> later, int64_t planes, int64_t guess,
                   int64_t reach);

// Of a shift, in voxels.
double Length(const Shift& shift);

}  // namespace deconvoy::worker

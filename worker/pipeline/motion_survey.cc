#include "worker/pipeline/motion_survey.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <string>
#include <utility>

#include "worker/pipeline/finding.h"

namespace deconvoy::worker {
namespace {

constexpr int64_t kLeastExtent = 32;  // voxels
constexpr int64_t kMostTimes = 200;
constexpr int64_t kLeastPlanes = 16, kMostPlanes = 1024;  // of a stack that is followed along z
constexpr int64_t kDepthReach = 8;                        // planes, from one time point to the next
constexpr int64_t kColumns = 128;                         // of the sums of rows, at least, where there are as many
constexpr int64_t kMostRowBytes = 2 << 20;                // of both sums of rows
constexpr int64_t kBytesOfStep = 256;                     // of a plane, while jumps are looked for
constexpr int64_t kBytesOfBins = 128 * 128 * 4;           // of a plane (shift.h)
constexpr char kInput[] = "deconvolve.input_volume";

std::string Text(const Shift& shift) {
  return fmt::format("{:+.1f} voxels along y and {:+.1f} along x", shift.y, shift.x);
}

// An extent that can be followed; smaller planes are not looked at.
int64_t Enough(int64_t extent) {
  return std::max(extent, kLeastExtent);
}

int32_t Whole(double shift, int64_t extent) {
  return static_cast<int32_t>(
      std::clamp<double>(std::round(shift), -static_cast<double>(extent), static_cast<double>(extent)));
}

}  // namespace

MotionSurvey::MotionSurvey(int64_t c, int64_t frames, const Shape3& shape, bool corrects)
    : c_(c),
      frames_(frames),
      every_((frames + kMostTimes - 1) / kMostTimes),
      shape_(shape),
      looks_(std::min(shape.y, shape.x) >= kLeastExtent),
      corrects_(corrects),
      columns_of_sum_(std::max<int64_t>(shape.x / kColumns, 1)),
      planes_(Enough(shape.y), Enough(shape.x)),
      times_(Enough(shape.y), Enough(shape.x)) {
  if (!looks_ || frames == 1 || shape.z < kLeastPlanes || shape.z > kMostPlanes) return;
  rows_.resize(static_cast<size_t>(shape.z * (shape.x / columns_of_sum_)));
}

int64_t MotionSurvey::Bytes(int64_t frames, const Shape3& shape, bool corrects) {
  const int64_t bins = corrects && frames > 1 ? kBytesOfBins : 0;
  const int64_t kept = corrects ? frames * static_cast<int64_t>(sizeof(Shift)) : 0;
  return 3 * ShiftFinder::kBytes + kMostRowBytes + shape.z * (kBytesOfStep + bins + kept);
}

// A bin holds several voxels, of which a tenth can be told.
double MotionSurvey::Least() const {
  return std::max(1.0, 0.25 * static_cast<double>(planes_.bin()));
}

void MotionSurvey::AddPlane(int64_t t, int64_t z, std::span<const float> photons) {
  if (!looks_) return;
  if (shape_.z > 1 && (t == 0 || corrects_)) {
    planes_.Add(photons);
    if (KeepsPlanes(t)) binned_.emplace_back(planes_.bins().begin(), planes_.bins().end());
    const std::optional<Shift> shift = planes_.Next();
    if (z > 0 && shift && ShiftFinder::IsSure(*shift)) steps_.push_back({z, *shift});
    if (z + 1 == shape_.z) EndStack(t);
  }
  if (frames_ > 1 && t % every_ == 0) FollowTime(t, z, photons);
}

void MotionSurvey::EndStack(int64_t t) {
  PlaneMotion motion = FindJumps(steps_, shape_.z, Least());
  steps_.clear();
  AddInPlace(motion);
  if (motion.jumps == 0) return;
  jumps_ += motion.jumps;
  if (Length(motion.largest.shift) > Length(largest_.shift)) {
    largest_ = motion.largest;
    largest_time_ = t;
  }
  if (corrects_) displaced_[t] = std::move(motion.planes);
}

// The planes that were kept, where the stack is.
void MotionSurvey::AddInPlace(const PlaneMotion& motion) {
  for (size_t z = 0; z < binned_.size(); ++z) {
    if (motion.jumps == 0 || Length(motion.planes[z]) < 1) times_.AddBins(binned_[z]);
  }
  binned_.clear();
}

void MotionSurvey::FollowTime(int64_t t, int64_t z, std::span<const float> photons) {
  if (!KeepsPlanes(t)) times_.Add(photons);
  if (FollowsDepth()) AddRows(z, photons);
  if (z + 1 < shape_.z) return;
  times_.EndTime(t);
  if (!FollowsDepth()) return;
  if (first_rows_.empty()) first_rows_ = rows_;
  depths_.push_back(DepthShift(first_rows_, rows_, shape_.z, depths_.empty() ? 0 : depths_.back(), kDepthReach));
}

// Of the last one that was followed.
int64_t MotionSurvey::DepthAt(int64_t t) const {
  return depths_.empty() ? 0 : depths_[static_cast<size_t>(t / every_)];
}

void MotionSurvey::AddRows(int64_t z, std::span<const float> photons) {
  const int64_t columns = shape_.x / columns_of_sum_;
  const auto sums = std::span(rows_).subspan(static_cast<size_t>(z * columns), static_cast<size_t>(columns));
  std::fill(sums.begin(), sums.end(), 0.0F);
  for (int64_t y = 0; y < shape_.y; ++y) {
    const float* const row = photons.data() + y * shape_.x;
    for (int64_t x = 0; x < columns * columns_of_sum_; ++x) sums[static_cast<size_t>(x / columns_of_sum_)] += row[x];
  }
}

void MotionSurvey::Tell(int64_t t, v1::FrameStatistics& frame) const {
  const Shift drift = times_.At(t);
  frame.set_shift_z(static_cast<int32_t>(DepthAt(t)));
  const auto found = displaced_.find(t);
  std::vector<int32_t> ys, xs;
  for (int64_t p = 0; p < shape_.z; ++p) {
    const Shift of_plane = found == displaced_.end() ? Shift() : found->second[static_cast<size_t>(p)];
    ys.push_back(Whole(drift.y + of_plane.y, shape_.y));
    xs.push_back(Whole(drift.x + of_plane.x, shape_.x));
  }
  const auto moves = [](int32_t shift) { return shift != 0; };
  if (std::any_of(ys.begin(), ys.end(), moves)) frame.mutable_plane_shift_y()->Assign(ys.begin(), ys.end());
  if (std::any_of(xs.begin(), xs.end(), moves)) frame.mutable_plane_shift_x()->Assign(xs.begin(), xs.end());
}

// Where other structures begin it looks like a jump: no more than a note.
void MotionSurvey::AddJumps(std::vector<v1::Finding>& findings) const {
  if (jumps_ == 0) return;
  const std::string what = fmt::format(
      "channel {}: planes {} displaced against their neighbours at {} {}, most at plane {}{}, by {}", c_,
      corrects_ ? "that look" : "look", jumps_, jumps_ == 1 ? "place" : "places", largest_.to,
      corrects_ && frames_ > 1 ? fmt::format(" of time point {}", largest_time_) : "", Text(largest_.shift));
  findings.push_back(
      Info(what + (corrects_ ? ", are put back by whole voxels"
                             : "; if the specimen moved there, have it corrected (`--motion correct`)")));
}

void MotionSurvey::AddDrift(std::vector<v1::Finding>& findings) const {
  const Shift furthest = times_.Furthest();
  const auto nearer = [](int64_t a, int64_t b) { return std::abs(a) < std::abs(b); };
  const int64_t along_z = depths_.empty() ? 0 : *std::max_element(depths_.begin(), depths_.end(), nearer);
  const bool rises = std::abs(along_z) > 1;
  if (Length(furthest) <= Least() && !rises) return;
  const std::string what = fmt::format(
      "channel {}: the specimen drifts over the time points, by up to {}{} against the first, at most {:.1f} voxels "
      "from one to the next{}",
      c_, Text(furthest), rises ? fmt::format(" and {:+d} planes", along_z) : "", times_.LargestStep(),
      every_ > 1 ? fmt::format(" of every {} looked at", every_) : "");
  if (corrects_) {
    findings.push_back(Info(what + "; they are put where the first is, by whole voxels"));
  } else {
    findings.push_back(Warning(what + "; each is deconvolved where it is", kInput,
                               "If they are to be compared voxel by voxel, have it corrected (`--motion correct`)."));
  }
}

// What was asked for and is not done.
void MotionSurvey::AddRest(std::vector<v1::Finding>& findings) const {
  if (!corrects_) return;
  if (!looks_) {
    findings.push_back(
        Info(fmt::format("channel {}: motion is not corrected: it is told only from planes of {} x {} "
                         "voxels or more",
                         c_, kLeastExtent, kLeastExtent)));
  } else if (findings.empty()) {
    findings.push_back(Info(fmt::format("channel {}: no motion to correct", c_)));
  }
}

std::vector<v1::Finding> MotionSurvey::Findings() const {
  std::vector<v1::Finding> findings;
  AddJumps(findings);
  AddDrift(findings);
  AddRest(findings);
  return findings;
}

}  // namespace deconvoy::worker

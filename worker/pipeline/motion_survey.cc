#include "worker/pipeline/motion_survey.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <string>

#include "worker/imaging/robust_fit.h"
#include "worker/pipeline/finding.h"

namespace deconvoy::worker {
namespace {

constexpr int64_t kLeastExtent = 32;  // voxels
constexpr int64_t kMostTimes = 200;
constexpr int64_t kPlanesOfSum = 8;
constexpr size_t kLeastSteps = 4;  // between planes, to tell a jump from a tilt
constexpr double kJump = 6;        // times the usual spread
constexpr double kDeviationOfMad = 1.4826;
constexpr char kInput[] = "deconvolve.input_volume";

double Length(double y, double x) {
  return std::sqrt(y * y + x * x);
}

std::string Text(const Shift& shift) {
  return fmt::format("{:+.1f} voxels along y and {:+.1f} along x", shift.y, shift.x);
}

}  // namespace

MotionSurvey::MotionSurvey(int64_t c, int64_t frames, const Shape3& shape)
    : c_(c),
      frames_(frames),
      every_((frames + kMostTimes - 1) / kMostTimes),
      shape_(shape),
      looks_(std::min(shape.y, shape.x) >= kLeastExtent),
      planes_(std::max(shape.y, kLeastExtent), std::max(shape.x, kLeastExtent)),
      times_(std::max(shape.y, kLeastExtent), std::max(shape.x, kLeastExtent)) {}

// A bin holds several voxels, of which a tenth can be told.
double MotionSurvey::Least() const {
  return std::max(1.0, 0.25 * static_cast<double>(planes_.bin()));
}

void MotionSurvey::AddPlane(int64_t t, int64_t z, std::span<const float> photons) {
  if (!looks_) return;
  if (t == 0 && shape_.z > 1) {
    planes_.Add(photons);
    const std::optional<Shift> shift = planes_.Next();
    if (shift && shift->certainty > ShiftFinder::kCertain) plane_steps_.push_back({z, *shift});
  }
  if (frames_ == 1 || t % every_ != 0) return;
  const int64_t first = std::max<int64_t>((shape_.z - kPlanesOfSum) / 2, 0);
  if (z >= first && z < first + kPlanesOfSum) times_.Add(photons);
  if (z + 1 == shape_.z) EndFrame(t);
}

void MotionSurvey::EndFrame(int64_t t) {
  const std::optional<Shift> shift = times_.Next();
  if (shift && shift->certainty > ShiftFinder::kCertain) time_steps_.push_back({t, *shift});
}

// Structures that run obliquely move from plane to plane, too, but from each to the next about alike. Where others
// begin it looks like a jump: no more than a note.
void MotionSurvey::AddJumps(std::vector<v1::Finding>& findings) const {
  if (plane_steps_.size() < kLeastSteps) return;
  std::vector<double> ys, xs, lengths;
  for (const Step& step : plane_steps_) {
    ys.push_back(step.shift.y);
    xs.push_back(step.shift.x);
  }
  const double y = MedianOf(ys), x = MedianOf(xs);
  for (const Step& step : plane_steps_) lengths.push_back(Length(step.shift.y - y, step.shift.x - x));
  std::vector<double> sorted = lengths;
  const double usual = kDeviationOfMad * MedianOf(sorted), least = std::max(Least(), kJump * usual);
  const auto worst = std::max_element(lengths.begin(), lengths.end());
  const auto jumps = std::count_if(lengths.begin(), lengths.end(), [least](double length) { return length > least; });
  if (jumps == 0) return;
  const Step& step = plane_steps_[static_cast<size_t>(worst - lengths.begin())];
  findings.push_back(Info(fmt::format(
      "channel {}: planes look displaced against their neighbours at {} {}, most at plane {}, by {}; if the "
      "specimen moved there, register the planes before",
      c_, jumps, jumps == 1 ? "place" : "places", step.to, Text(step.shift))));
}

void MotionSurvey::AddDrift(std::vector<v1::Finding>& findings) const {
  Shift sum, furthest;
  double fastest = 0;
  for (const Step& step : time_steps_) {
    sum.y += step.shift.y;
    sum.x += step.shift.x;
    fastest = std::max(fastest, Length(step.shift.y, step.shift.x));
    if (Length(sum.y, sum.x) > Length(furthest.y, furthest.x)) furthest = sum;
  }
  if (Length(furthest.y, furthest.x) <= Least()) return;
  findings.push_back(Warning(
      fmt::format("channel {}: the specimen drifts over the time points, by up to {} against the first, at most {:.1f} "
                  "voxels from one to the next{}; each is deconvolved where it is",
                  c_, Text(furthest), fastest, every_ > 1 ? fmt::format(" of every {} looked at", every_) : ""),
      kInput, "Register the time points if they are to be compared voxel by voxel."));
}

std::vector<v1::Finding> MotionSurvey::Findings() const {
  std::vector<v1::Finding> findings;
  AddJumps(findings);
  AddDrift(findings);
  return findings;
}

}  // namespace deconvoy::worker

#include "worker/imaging/motion.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdlib>
#include <map>
#include <utility>

#include "worker/imaging/robust_fit.h"

namespace deconvoy::worker {
namespace {

constexpr size_t kLeastSteps = 4;  // between planes, to tell a jump from a tilt
constexpr size_t kReach = 4;       // steps to either side
constexpr double kJump = 6;        // times the usual difference
constexpr double kDeviationOfMad = 1.4826;
constexpr double kAgree = 2;  // bins, at least voxels, that errors may have added up to

Shift Plus(const Shift& a, const Shift& b) {
  return {.y = a.y + b.y, .x = a.x + b.x};
}

Shift Minus(const Shift& a, const Shift& b) {
  return {.y = a.y - b.y, .x = a.x - b.x};
}

bool IsCertain(const std::optional<Shift>& shift) {
  return shift && ShiftFinder::IsSure(*shift);
}

// Whether it is motion rather than other structures.
bool Explains(const Shift& shift) {
  constexpr double kLeft = 0.75;
  return 1 - shift.alike < kLeft * (1 - shift.alike_at_rest);
}

// The median of the steps around step `i`, without it.
Shift Trend(std::span<const PlaneStep> steps, size_t i) {
  const size_t begin = i > kReach ? i - kReach : 0, end = std::min(i + kReach + 1, steps.size());
  std::vector<double> ys, xs;
  for (size_t k = begin; k < end; ++k) {
    if (k == i) continue;
    ys.push_back(steps[k].shift.y);
    xs.push_back(steps[k].shift.x);
  }
  return {.y = MedianOf(ys), .x = MedianOf(xs)};
}

// Where most planes are, to a voxel.
Shift PlaceOf(std::span<const Shift> planes) {
  std::map<std::pair<int64_t, int64_t>, std::pair<int64_t, Shift>> places;  // how many are in each voxel, and one
  for (const Shift& plane : planes) {
    auto& [count, one] = places[{std::lround(plane.y), std::lround(plane.x)}];
    if (++count == 1) one = plane;
  }
  const auto fewer = [](const auto& a, const auto& b) { return a.second.first < b.second.first; };
  return std::max_element(places.begin(), places.end(), fewer)->second.second;
}

// 0 where either is even.
double Correlation(std::span<const float> a, std::span<const float> b) {
  double mean_a = 0, mean_b = 0;
  for (size_t i = 0; i < a.size(); ++i) mean_a += a[i], mean_b += b[i];
  mean_a /= static_cast<double>(a.size()), mean_b /= static_cast<double>(a.size());
  double ab = 0, aa = 0, bb = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    const double da = a[i] - mean_a, db = b[i] - mean_b;
    ab += da * db, aa += da * da, bb += db * db;
  }
  return aa > 0 && bb > 0 ? ab / std::sqrt(aa * bb) : 0;
}

}  // namespace

double Length(const Shift& shift) {
  return std::sqrt(shift.y * shift.y + shift.x * shift.x);
}

PlaneMotion FindJumps(std::span<const PlaneStep> steps, int64_t planes, double least) {
  PlaneMotion motion;
  if (steps.size() < kLeastSteps) return motion;
  std::vector<Shift> differences;
  std::vector<double> sizes;
  for (size_t i = 0; i < steps.size(); ++i) {
    differences.push_back(Minus(steps[i].shift, Trend(steps, i)));
    sizes.push_back(Length(differences.back()));
  }
  std::vector<double> sorted = sizes;
  const double limit = std::max(least, kJump * kDeviationOfMad * MedianOf(sorted));
  std::vector<Shift> jumps(static_cast<size_t>(planes));  // into each plane
  double largest = 0;
  for (size_t i = 0; i < steps.size(); ++i) {
    if (sizes[i] <= limit || !Explains(steps[i].shift)) continue;
    ++motion.jumps;
    jumps[static_cast<size_t>(steps[i].to)] = differences[i];
    if (sizes[i] > largest) largest = sizes[i], motion.largest = steps[i];
  }
  if (motion.jumps == 0) return motion;
  Shift place;
  for (const Shift& jump : jumps) motion.planes.push_back(place = Plus(place, jump));
  const Shift middle = PlaceOf(motion.planes);
  for (Shift& plane : motion.planes) plane = Minus(plane, middle);
  return motion;
}

int64_t DepthShift(std::span<const float> first, std::span<const float> later, int64_t planes, int64_t guess,
                   int64_t reach) {
  constexpr double kLessUnexplained = 0.9;
  const size_t columns = first.size() / static_cast<size_t>(planes);
  const auto alike = [&](int64_t shift) {
    const size_t apart = static_cast<size_t>(std::abs(shift)) * columns, common = first.size() - apart;
    return Correlation(first.subspan(shift < 0 ? apart : 0, common), later.subspan(shift > 0 ? apart : 0, common));
  };
  const int64_t most = planes / 2;
  int64_t best = guess;
  double best_alike = alike(guess);
  const double enough = 1 - kLessUnexplained * (1 - best_alike);
  for (int64_t shift = std::max(guess - reach, -most); shift <= std::min(guess + reach, most); ++shift) {
    const double here = alike(shift);
    if (here > best_alike) best = shift, best_alike = here;
  }
  return best_alike > enough ? best : guess;
}

void MotionTrack::EndTime(int64_t t) {
  const std::optional<Shift> step = finder_.Next();
  Shift place = places_.empty() ? Shift() : places_.back();
  if (IsCertain(step)) place = Plus(place, *step);
  const std::optional<Shift> direct = finder_.SinceFirst();
  const double errors = kAgree * static_cast<double>(finder_.bin());
  if (IsCertain(direct) && (!IsCertain(step) || Length(Minus(*direct, place)) <= errors)) place = *direct;
  times_.push_back(t);
  places_.push_back(place);
}

Shift MotionTrack::At(int64_t t) const {
  const auto after = std::upper_bound(times_.begin(), times_.end(), t);
  if (after == times_.begin()) return {};
  const auto i = static_cast<size_t>(after - times_.begin()) - 1;
  if (after == times_.end()) return places_[i];
  const double share = static_cast<double>(t - times_[i]) / static_cast<double>(times_[i + 1] - times_[i]);
  const Shift further = Minus(places_[i + 1], places_[i]);
  return {.y = places_[i].y + share * further.y, .x = places_[i].x + share * further.x};
}

Shift MotionTrack::Furthest() const {
  const auto nearer = [](const Shift& a, const Shift& b) { return Length(a) < Length(b); };
  return places_.empty() ? Shift() : *std::max_element(places_.begin(), places_.end(), nearer);
}

double MotionTrack::LargestStep() const {
  double largest = 0;
  for (size_t i = 1; i < places_.size(); ++i) largest = std::max(largest, Length(Minus(places_[i], places_[i - 1])));
  return largest;
}

}  // namespace deconvoy::worker

#include "worker/imaging/background.h"

#include <algorithm>
#include <cmath>

#include "worker/imaging/value_bins.h"

namespace deconvoy::worker {

ValueHistogram::ValueHistogram() : voxels_(kValueBins) {
  static_assert(kValueBins * sizeof(uint64_t) == kBytes);
}

void ValueHistogram::AddPlane(std::span<const float> photons, std::span<const float> counts) {
  for (size_t i = 0; i < photons.size(); ++i) {
    if ((!counts.empty() && counts[i] == 0) || !std::isfinite(photons[i])) continue;
    ++voxels_[BinOf(photons[i])];
    ++all_;
  }
}

double ValueHistogram::Percentile(double percent) const {
  const double most = percent / 100 * static_cast<double>(all_);
  uint64_t below = 0;
  for (size_t bin = 0; bin < voxels_.size(); ++bin) {
    below += voxels_[bin];
    if (static_cast<double>(below) > most) return ValueOf(bin);
  }
  return 0;
}

void PlaneBackgrounds::AddPlane(std::span<const float> photons, std::span<const float> counts) {
  FrameStatistics plane(plane_, scale_);
  plane.AddPlane(photons, counts);
  const FrameFacts facts = plane.Finish();
  backgrounds_.push_back(facts.counted > 0 ? static_cast<float>(facts.automatic_background) : kNotKnown);
}

std::vector<float> PlaneBackgrounds::Finish() const {
  std::vector<float> found = backgrounds_;
  const float brightest = found.empty() ? 0 : std::max(*std::max_element(found.begin(), found.end()), 0.0F);
  std::replace(found.begin(), found.end(), kNotKnown, brightest);
  return found;
}

}  // namespace deconvoy::worker

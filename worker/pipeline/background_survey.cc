#include "worker/pipeline/background_survey.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <string>

#include "worker/pipeline/finding.h"

namespace deconvoy::worker {
namespace {

using Spec = v1::DeconvolveSpec;

void SetPlanes(const std::vector<float>& planes, v1::FrameStatistics& frame) {
  frame.set_background(planes.empty() ? 0 : *std::max_element(planes.begin(), planes.end()));
  frame.mutable_plane_background()->Assign(planes.begin(), planes.end());
}

}  // namespace

std::optional<double> GivenBackground(const Spec& spec) {
  if (spec.background_case() == Spec::kBackgroundCounts) return spec.background_counts();
  if (spec.background_case() != Spec::kBackgroundPlanes) return std::nullopt;
  const auto& counts = spec.background_planes().counts();
  return counts.empty() ? 0 : *std::max_element(counts.begin(), counts.end());
}

const char* BackgroundField(const Spec& spec) {
  switch (spec.background_case()) {
    case Spec::kBackgroundCounts:
      return "deconvolve.background_counts";
    case Spec::kBackgroundPlanes:
      return "deconvolve.background_planes";
    case Spec::kBackgroundPercentile:
      return "deconvolve.background_percentile";
    default:
      return "deconvolve.offset_counts";
  }
}

bool HasPlaneBackgrounds(const Spec& spec) {
  return spec.background_case() == Spec::kBackgroundPlanes || spec.background_case() == Spec::kBackgroundPlanesAuto;
}

double BackgroundOf(const v1::FrameStatistics& frame, int64_t z) {
  return frame.plane_background().empty() ? frame.background() : frame.plane_background(static_cast<int>(z));
}

int64_t BackgroundSurvey::Bytes(const Spec& spec) {
  if (spec.background_case() == Spec::kBackgroundPercentile) return ValueHistogram::kBytes;
  return spec.background_case() == Spec::kBackgroundPlanesAuto ? PlaneBackgrounds::kBytes : 0;
}

BackgroundSurvey::BackgroundSurvey(const Spec& spec, const Shape3& frame, const CountScale& scale)
    : spec_(spec), gain_(scale.gain) {
  if (spec.background_case() == Spec::kBackgroundPercentile) histogram_.emplace();
  if (spec.background_case() == Spec::kBackgroundPlanesAuto) planes_.emplace(frame, scale);
}

void BackgroundSurvey::AddPlane(std::span<const float> photons, std::span<const float> counts) {
  if (histogram_) histogram_->AddPlane(photons, counts);
  if (planes_) planes_->AddPlane(photons, counts);
}

void BackgroundSurvey::Tell(const FrameFacts& facts, v1::FrameStatistics& frame) const {
  switch (spec_.background_case()) {
    case Spec::kBackgroundCounts:
      return frame.set_background(spec_.background_counts() * gain_);
    case Spec::kBackgroundPercentile:
      return frame.set_background(histogram_->Percentile(spec_.background_percentile()));
    case Spec::kBackgroundPlanesAuto:
      return SetPlanes(planes_->Finish(), frame);
    case Spec::kBackgroundPlanes: {
      std::vector<float> planes;
      for (const double counts : spec_.background_planes().counts())
        planes.push_back(static_cast<float>(counts * gain_));
      return SetPlanes(planes, frame);
    }
    default:
      return frame.set_background(facts.automatic_background);
  }
}

std::vector<v1::Finding> BackgroundFindings(const Spec& spec, const v1::AnalyseResult& analysis) {
  std::vector<v1::Finding> findings;
  const bool planes = spec.background_case() == Spec::kBackgroundPlanesAuto;
  if (!planes && spec.background_case() != Spec::kBackgroundPercentile) return findings;
  const std::string how = planes
                              ? "estimated for each plane"
                              : fmt::format("that {:g} % of a frame's voxels lie below", spec.background_percentile());
  for (const v1::ChannelFacts& channel : analysis.channels()) {
    double least = std::numeric_limits<double>::infinity(), most = 0;
    for (const v1::FrameStatistics& frame : analysis.frames()) {
      if (frame.c() != channel.c()) continue;
      most = std::max(most, frame.background());
      least = std::min(least, frame.background());
      for (const float photons : frame.plane_background()) least = std::min<double>(least, photons);
    }
    const double gain = channel.gain_photons_per_count();
    const std::string from = least < most ? fmt::format("{:.4g} to ", least / gain) : "";
    findings.push_back(Info(fmt::format("background of channel {}, {}: {}{:.4g} counts above the offset", channel.c(),
                                        how, from, most / gain)));
  }
  return findings;
}

}  // namespace deconvoy::worker

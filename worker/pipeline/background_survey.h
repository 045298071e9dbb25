// The background of one frame: as the specification gives it, or as it says to tell it from the image.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "deconvoy/v1/workers.pb.h"
#include "proto/contract/geometry.h"
#include "worker/imaging/background.h"
#include "worker/imaging/counts.h"
#include "worker/imaging/frame_statistics.h"

namespace deconvoy::worker {

// The largest that is given, in counts above the offset; none where it is told from the image.
std::optional<double> GivenBackground(const v1::DeconvolveSpec& spec);
// Where the specification has what is given; that of the offset where nothing is.
const char* BackgroundField(const v1::DeconvolveSpec& spec);

// Whether planes have backgrounds of their own.
bool HasPlaneBackgrounds(const v1::DeconvolveSpec& spec);
// In photons, that of plane `z`.
double BackgroundOf(const v1::FrameStatistics& frame, int64_t z);

// Takes the planes of one frame in order. Not thread safe.
class BackgroundSurvey {
 public:
  // Of one, beside a few floats for each plane.
  static int64_t Bytes(const v1::DeconvolveSpec& spec);

  // `spec` must outlive it.
  BackgroundSurvey(const v1::DeconvolveSpec& spec, const Shape3& frame, const CountScale& scale);
  // As FrameStatistics::AddPlane.
  void AddPlane(std::span<const float> photons, std::span<const float> counts);
  // Sets background and plane_background. `facts` are those of the same planes.
  void Tell(const FrameFacts& facts, v1::FrameStatistics& frame) const;

 private:
  const v1::DeconvolveSpec& spec_;
  const double gain_;
  std::optional<ValueHistogram> histogram_;
  std::optional<PlaneBackgrounds> planes_;
};

// What has been told of the frames of each channel of an analysis, for people; none where it is as usual.
std::vector<v1::Finding> BackgroundFindings(const v1::DeconvolveSpec& spec, const v1::AnalyseResult& analysis);

}  // namespace deconvoy::worker

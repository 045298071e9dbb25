#include "worker/pipeline/first_planes.h"

#include <fmt/format.h>

#include <algorithm>

#include "worker/pipeline/finding.h"

namespace deconvoy::worker {
namespace {

constexpr double kLeastMean = 1;  // photons

}  // namespace

v1::VolumeSpec SeenOf(const v1::AnalyseTask& task, v1::VolumeSpec input) {
  if (task.first_planes() == 0) return input;
  input.mutable_shape()->set_t(1);
  input.mutable_shape()->set_z(std::min(task.first_planes(), input.shape().z()));
  return input;
}

void LetFirstPlanesStand(int64_t planes, v1::AnalyseResult& result) {
  *result.add_findings() = Info(fmt::format("what is told of the image is told from its first {} of time point 0",
                                            planes == 1 ? "plane" : fmt::format("{} planes", planes)));
  for (v1::FrameStatistics& frame : *result.mutable_frames()) {
    frame.set_mean(std::max({frame.mean(), frame.background(), kLeastMean}));
  }
}

}  // namespace deconvoy::worker

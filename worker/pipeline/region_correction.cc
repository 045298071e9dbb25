#include "worker/pipeline/region_correction.h"

#include <algorithm>

#include "proto/contract/status_macros.h"
#include "worker/pipeline/plane_reader.h"

namespace deconvoy::worker {
namespace {

std::vector<size_t> BadPixelsOf(const v1::ChannelFacts& channel, int64_t columns, const Box3& box) {
  std::vector<size_t> places;
  for (const uint32_t pixel : channel.bad_pixels()) {
    const int64_t y = pixel / columns - box.origin.y, x = pixel % columns - box.origin.x;
    if (y < 0 || y >= box.shape.y || x < 0 || x >= box.shape.x) continue;
    places.push_back(static_cast<size_t>(y * box.shape.x + x));
  }
  return places;
}

void SetLight(const v1::FrameStatistics& frame, const Box3& box, LightCorrection& light) {
  light.background = static_cast<float>(frame.background());
  const auto& backgrounds = frame.plane_background();
  if (!backgrounds.empty()) {
    light.backgrounds.assign(backgrounds.begin() + box.origin.z, backgrounds.begin() + box.end().z);
  }
  const auto& planes = frame.plane_light();
  if (planes.empty()) return;
  light.light.assign(planes.begin() + box.origin.z, planes.begin() + box.end().z);
  light.light_maximum = *std::max_element(planes.begin(), planes.end());
}

}  // namespace

absl::StatusOr<const v1::VolumeAccess*> FindFlatField(const v1::Task& task, const v1::DeconvolveSpec& spec) {
  if (spec.flat_field_volume().empty()) return nullptr;
  return FindInput(task, spec.flat_field_volume());
}

FrameBox RegionOfFlatField(const v1::VolumeAccess& flat, const FrameBox& image) {
  FrameBox region = image;
  region.t = 0;
  if (flat.spec().shape().c() == 1) region.c = 0;
  region.box.origin.z = 0;
  region.box.shape.z = 1;
  return region;
}

absl::StatusOr<RegionCorrection> CorrectionOf(const CorrectionInputs& inputs, const FrameBox& region,
                                              VolumeSource& source) {
  RegionCorrection correction;
  const v1::Boundary boundary = inputs.spec->boundary();
  correction.weigh = boundary != v1::PERIODIC && boundary != v1::MIRROR;
  if (inputs.channel != nullptr) {
    correction.bad_pixels = BadPixelsOf(*inputs.channel, inputs.columns, region.box);
    if (inputs.flat != nullptr) {
      const double mean = inputs.channel->flat_field_mean();
      ASSIGN_OR_RETURN(correction.light.flat,
                       ReadRegion(source, *inputs.flat, RegionOfFlatField(*inputs.flat, region)));
      for (float& f : correction.light.flat) f = static_cast<float>(f / mean);
      correction.light.flat_maximum = static_cast<float>(inputs.channel->flat_field_maximum() / mean);
    }
  }
  if (inputs.frame != nullptr) SetLight(*inputs.frame, region.box, correction.light);
  return correction;
}

void ReplaceBadPixels(std::span<const size_t> bad_pixels, int64_t columns, std::span<float> plane) {
  const int64_t rows = static_cast<int64_t>(plane.size()) / columns;
  std::vector<float> medians;
  for (const size_t place : bad_pixels) {
    const int64_t y = static_cast<int64_t>(place) / columns, x = static_cast<int64_t>(place) % columns;
    std::vector<float> good;
    for (int64_t v = std::max<int64_t>(y - 1, 0); v <= std::min(y + 1, rows - 1); ++v) {
      for (int64_t u = std::max<int64_t>(x - 1, 0); u <= std::min(x + 1, columns - 1); ++u) {
        const auto at = static_cast<size_t>(v * columns + u);
        if (!std::binary_search(bad_pixels.begin(), bad_pixels.end(), at)) good.push_back(plane[at]);
      }
    }
    const auto middle = good.begin() + static_cast<std::ptrdiff_t>(good.size() / 2);
    std::nth_element(good.begin(), middle, good.end());
    medians.push_back(good.empty() ? plane[place] : *middle);
  }
  for (size_t i = 0; i < medians.size(); ++i) plane[bad_pixels[i]] = medians[i];
}

}  // namespace deconvoy::worker

#include "server/jobs/result_check.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>

#include "proto/contract/error.h"

namespace deconvoy::server {
namespace {

constexpr char kTypeField[] = "deconvolve.output_type";
constexpr char kTooDarkRemedy[] = "Ask for f32 (--dtype f32), or scale the image.";

// Share of the image's light below which a result holds none of it.
constexpr double kNothing = 1e-9;
// Counts above zero below which the brightest voxel is worth a warning: rounding then moves it by 5 % or more.
constexpr double kFewCounts = 10;
// An automatic background is known to half as much of itself: the difference is no light.
constexpr double kBackgroundPrecision = 1.0 / 4096;

double MaximumOf(v1::VoxelType type) {
  return type == v1::U8 ? 255 : 65535;
}

double Stored(double counts, v1::VoxelType type) {
  return std::clamp(std::round(counts), 0.0, MaximumOf(type));
}

// Photons per count of a channel, as estimated or given.
double GainOf(const v1::DeconvolveSpec& spec, const v1::AnalyseResult& analysis, uint32_t c) {
  const auto channel = static_cast<int>(c);
  const double gain = channel < analysis.channels_size() ? analysis.channels(channel).gain_photons_per_count()
                                                         : spec.gain_photons_per_count();
  return gain > 0 ? gain : 1;
}

// Of the brightest voxel of all frames above its frame's background, in counts; 0 where no frame has any.
double BrightestLight(const v1::DeconvolveSpec& spec, const v1::AnalyseResult& analysis) {
  double brightest = 0;
  for (const v1::FrameStatistics& frame : analysis.frames()) {
    const double light = frame.maximum() - frame.background();
    if (light <= kBackgroundPrecision * std::abs(frame.maximum())) continue;
    brightest = std::max(brightest, light / GainOf(spec, analysis, frame.c()));
  }
  return brightest;
}

v1::Finding Warning(std::string message) {
  v1::Finding finding;
  finding.set_severity(v1::WARNING);
  finding.set_message(std::move(message));
  return finding;
}

absl::Status Lost(double brightest, double light) {
  return MakeError(
      {.reason = v1::INVALID_FIELD,
       .field = "deconvolve",
       .remedy = "Check the PSF (are image and PSF swapped?), the background and the offset."},
      fmt::format("the result is dark everywhere: its brightest voxel has {:.3g} counts, that of the image "
                  "{:.5g} above the background",
                  brightest, light));
}

absl::Status Black(double zero, double brightest, v1::VoxelType type) {
  return MakeError({.reason = v1::INVALID_FIELD, .field = kTypeField, .remedy = kTooDarkRemedy},
                   fmt::format("every voxel of the result would be stored as {:.0f}: the brightest is {:.3g} counts "
                               "above that, and {} holds whole counts",
                               Stored(zero, type), brightest, v1::VoxelType_Name(type)));
}

v1::Finding Dark(double brightest, v1::VoxelType type) {
  v1::Finding finding = Warning(
      fmt::format("the brightest voxel of the result is {:.3g} counts above zero: {} holds whole counts, and much of "
                  "the result is lost to rounding",
                  brightest, v1::VoxelType_Name(type)));
  finding.mutable_info()->set_reason(v1::INVALID_FIELD);
  finding.mutable_info()->set_field(kTypeField);
  finding.mutable_info()->set_remedy(kTooDarkRemedy);
  return finding;
}

}  // namespace

v1::Finding ClippingFinding(uint64_t voxels, std::string_view what, v1::VoxelType type) {
  return Warning(fmt::format("{} voxels of {} did not fit into {} and were clipped; ask for f32 to keep them", voxels,
                             what, v1::VoxelType_Name(type)));
}

absl::StatusOr<std::vector<v1::Finding>> CheckResult(const v1::DeconvolveSpec& spec, const v1::AnalyseResult& analysis,
                                                     const v1::ResultStatistics& result) {
  const v1::VoxelType type = spec.output_type();
  std::vector<v1::Finding> findings;
  // The frame's light may lie outside the region.
  const bool region = spec.has_region_shape();
  const double light = region ? result.input_sum() : BrightestLight(spec, analysis);
  const double zero = spec.keep_offset() ? spec.offset_counts() : 0;
  const double brightest = result.maximum() - zero;
  if (!region && light > 0 && brightest < kNothing * light) return Lost(brightest, light);
  if (type != v1::U8 && type != v1::U16) return findings;
  if (result.clipped_voxels() > 0) findings.push_back(ClippingFinding(result.clipped_voxels(), "the result", type));
  if (!(light > 0)) return findings;
  if (!region && Stored(result.minimum(), type) == Stored(zero, type) &&
      Stored(result.maximum(), type) == Stored(zero, type)) {
    return Black(zero, brightest, type);
  }
  if (brightest < kFewCounts) findings.push_back(Dark(brightest, type));
  return findings;
}

}  // namespace deconvoy::server

#include "server/jobs/analysis_check.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "proto/contract/error.h"
#include "proto/contract/model_spec.h"
#include "proto/contract/psf_grid.h"
#include "proto/contract/status_macros.h"
#include "proto/contract/volume_layout.h"
#include "server/jobs/tile_planning.h"

namespace deconvoy::server {
namespace {

absl::Status WrongResult(std::string_view what) {
  return MakeError({.reason = v1::INVALID_FIELD, .field = "result"}, what);
}

// Whether a crop that is symmetric about a voxel of the PSF can be this large.
bool AtMostTwice(const Shape3& crop, const Shape3& psf) {
  return crop.z < 2 * psf.z && crop.y < 2 * psf.y && crop.x < 2 * psf.x;
}

// What the analysis tells of a channel's camera must be of use to its tiles.
absl::Status CheckChannels(const v1::DeconvolveSpec& spec, const v1::Shape5& input, const v1::AnalyseResult& analysis) {
  if (analysis.channels_size() != static_cast<int>(input.c())) {
    return WrongResult(
        fmt::format("the analysis has {} channels, but the input has {}", analysis.channels_size(), input.c()));
  }
  const uint64_t pixels = uint64_t{input.y()} * input.x();
  for (const v1::ChannelFacts& channel : analysis.channels()) {
    const auto& bad = channel.bad_pixels();
    const bool inside = std::all_of(bad.begin(), bad.end(), [pixels](uint32_t pixel) { return pixel < pixels; });
    const bool flat = spec.flat_field_volume().empty() || channel.flat_field_mean() > 0;
    if (!(channel.gain_photons_per_count() > 0) || !(channel.read_noise_photons() >= 0) || !inside || !flat) {
      return WrongResult(fmt::format("what the analysis says of the camera of channel {} cannot be", channel.c()));
    }
  }
  return absl::OkStatus();
}

// At most by an extent: then nothing of it was recorded.
bool ShiftsCanBe(const google::protobuf::RepeatedField<int32_t>& shifts, const v1::Shape5& input, uint32_t extent) {
  const int64_t most = extent;
  return (shifts.empty() || shifts.size() == static_cast<int>(input.z())) &&
         std::all_of(shifts.begin(), shifts.end(), [most](int32_t shift) { return std::abs(int64_t{shift}) <= most; });
}

bool BackgroundsCanBe(const v1::FrameStatistics& frame, int planes) {
  const auto& backgrounds = frame.plane_background();
  return (backgrounds.empty() || backgrounds.size() == planes) &&
         std::all_of(backgrounds.begin(), backgrounds.end(),
                     [&](float b) { return b >= 0 && b <= static_cast<float>(frame.background()); });
}

// What the analysis tells of frames' planes must be of use to their tiles.
absl::Status CheckPlanes(const v1::DeconvolveSpec& spec, const v1::Shape5& input, const v1::AnalyseResult& analysis) {
  for (const v1::FrameStatistics& frame : analysis.frames()) {
    const auto& light = frame.plane_light();
    const bool whole = light.empty() || light.size() == static_cast<int>(input.z());
    if (!whole || !std::all_of(light.begin(), light.end(), [](float s) { return s > 0; })) {
      return WrongResult(fmt::format("the light of the planes of frame t={} c={} cannot be", frame.t(), frame.c()));
    }
    if (!BackgroundsCanBe(frame, static_cast<int>(input.z()))) {
      return WrongResult(
          fmt::format("the backgrounds of the planes of frame t={} c={} cannot be", frame.t(), frame.c()));
    }
    const bool moved = frame.shift_z() != 0 || !frame.plane_shift_y().empty() || !frame.plane_shift_x().empty();
    const bool near = std::abs(int64_t{frame.shift_z()}) <= int64_t{input.z()};
    if (near && ShiftsCanBe(frame.plane_shift_y(), input, input.y()) &&
        ShiftsCanBe(frame.plane_shift_x(), input, input.x()) && (spec.correct_motion() || !moved)) {
      continue;
    }
    return WrongResult(fmt::format("the motion of frame t={} c={} cannot be", frame.t(), frame.c()));
  }
  return absl::OkStatus();
}

// With models that make the result one for each channel, in their order; else none.
absl::Status CheckScales(const v1::DeconvolveSpec& spec, const v1::Shape5& input, const v1::AnalyseResult& analysis) {
  const int wanted = AppliesModels(spec) ? static_cast<int>(input.c()) : 0;
  if (analysis.scales_size() != wanted) {
    return WrongResult(fmt::format("the analysis has {} scales for models, not {}", analysis.scales_size(), wanted));
  }
  for (int c = 0; c < wanted; ++c) {
    const v1::ModelScale& scale = analysis.scales(c);
    const bool usable = scale.range_photons() > 0 && std::isfinite(scale.range_photons());
    if (scale.c() == static_cast<uint32_t>(c) && usable && std::isfinite(scale.offset_photons())) continue;
    return WrongResult(fmt::format("the scale of channel {} for models cannot be", c));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status CheckAnalysis(const v1::DeconvolveSpec& spec, const v1::VolumeSpec& input, const v1::VolumeSpec& psf,
                           const v1::VoxelSize& result, const v1::AnalyseResult& analysis) {
  const int64_t frames = int64_t{input.shape().t()} * input.shape().c();
  const bool first_stands = spec.first_planes() > 0 && analysis.frames_size() == static_cast<int>(input.shape().c());
  if (analysis.frames_size() != frames && !first_stands) {
    return WrongResult(fmt::format("the analysis has {} frames, but the input has {}", analysis.frames_size(), frames));
  }
  RETURN_IF_ERROR(CheckChannels(spec, input.shape(), analysis));
  RETURN_IF_ERROR(CheckPlanes(spec, input.shape(), analysis));
  RETURN_IF_ERROR(CheckScales(spec, input.shape(), analysis));
  const int64_t psfs = int64_t{psf.shape().t()} * psf.shape().c();
  if (analysis.psfs_size() != psfs) {
    return WrongResult(fmt::format("the analysis has {} PSFs, but there are {}", analysis.psfs_size(), psfs));
  }
  const Box3 whole{{}, FrameOf(psf)};
  const Shape3 told = MostTold(whole.shape, StepsOf(result, psf.voxel_size()));
  for (const v1::PsfReport& report : analysis.psfs()) {
    const Shape3 crop = ToShape3(report.crop_shape());
    const Voxel centre = ToVoxel(report.centre());
    if (!whole.Contains({centre, {1, 1, 1}}) || crop.empty() || !AtMostTwice(crop, told)) {
      return WrongResult(fmt::format("the analysis places the PSF of channel {} outside its volume", report.c()));
    }
  }
  return absl::OkStatus();
}

}  // namespace deconvoy::server

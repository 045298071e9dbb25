#include "worker/pipeline/camera_survey.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <span>
#include <utility>

#include "proto/contract/error.h"
#include "proto/contract/status_macros.h"
#include "proto/contract/volume_layout.h"
#include "worker/imaging/bad_pixels.h"
#include "worker/imaging/noise_fit.h"
#include "worker/pipeline/count_scale.h"
#include "worker/pipeline/finding.h"
#include "worker/pipeline/mask.h"
#include "worker/pipeline/plane_reader.h"
#include "worker/pipeline/region_correction.h"

namespace deconvoy::worker {
namespace {

constexpr int64_t kPlanes = 16;
constexpr int64_t kPairs = 32;
constexpr int64_t kStripBytes = 16 << 20;
constexpr int64_t kMargin = 2;            // rows that a pixel's neighbours reach
constexpr double kMostBadPixels = 0.002;  // of all; more are a pattern, not single pixels
constexpr int64_t kMostListed = 10'000;   // bad pixels that are kept with a job
constexpr double kSignificant = 4;        // standard errors
constexpr char kGainRemedy[] = "Give the camera's gain (photons per count).";

// Bytes of a row of a strip: its planes, and what is made of them.
int64_t RowBytes(const v1::VolumeSpec& input, int64_t planes) {
  const auto voxel = static_cast<int64_t>(sizeof(float));
  return input.shape().x() * (planes * voxel + kBadPixelBytes);
}

// As many strips as needed, about alike.
int64_t StripRows(const v1::VolumeSpec& input, int64_t planes) {
  const int64_t rows = input.shape().y();
  const int64_t most = std::max(kStripBytes / RowBytes(input, planes), kLeastExtentForBadPixels);
  const int64_t strips = (rows + most - 1) / most;
  return (rows + strips - 1) / strips;
}

class Survey {
 public:
  Survey(const v1::DeconvolveSpec& spec, const v1::VolumeAccess& input, const v1::VolumeSpec& seen,
         const v1::VolumeAccess* mask, int64_t c, TaskContext& context)
      : spec_(spec), input_(input), seen_(seen), mask_(mask), shape_(FrameShape(seen)), c_(c), context_(context) {
    result.facts.set_c(static_cast<uint32_t>(c));
    const CountScale given = ScaleOf(spec);
    result.facts.set_gain_photons_per_count(given.gain);
    result.facts.set_read_noise_photons(given.read_noise);
  }

  absl::Status FindNoise();
  absl::Status FindPixels();
  absl::Status MeasureFlatField(const v1::VolumeAccess& flat);

  CameraSurvey result;

 private:
  int64_t times() const { return seen_.shape().t(); }
  // Plane n of all time points.
  FrameBox PlaneAt(int64_t n) const { return {n / shape_.z, c_, {{n % shape_.z, 0, 0}, {1, shape_.y, shape_.x}}}; }
  absl::StatusOr<std::vector<float>> Read(const FrameBox& box);
  absl::Status CheckCancelled() const {
    return context_.cancelled() ? absl::CancelledError("the task was cancelled") : absl::OkStatus();
  }
  double SaturatedCounts() const;
  absl::Status AddPlanes(NoiseFit& fit);
  void TakeNoise(const NoiseEstimate& noise);
  absl::StatusOr<std::vector<float>> ReadStrip(int64_t begin, int64_t end, int64_t planes);
  void TakePixels(const std::vector<uint32_t>& pixels);

  const v1::DeconvolveSpec& spec_;
  const v1::VolumeAccess& input_;
  const v1::VolumeSpec& seen_;  // that part of it
  const v1::VolumeAccess* const mask_;
  const Shape3 shape_;
  const int64_t c_;
  TaskContext& context_;
};

// NaN where the mask is 0.
absl::StatusOr<std::vector<float>> Survey::Read(const FrameBox& box) {
  ASSIGN_OR_RETURN(std::vector<float> values, ReadRegion(context_.source(), input_, box));
  if (mask_ == nullptr) return values;
  ASSIGN_OR_RETURN(const std::vector<float> mask, ReadRegion(context_.source(), *mask_, RegionOfMask(*mask_, box)));
  for (size_t i = 0; i < values.size(); ++i) {
    if (mask[i] == 0) values[i] = std::numeric_limits<float>::quiet_NaN();
  }
  return values;
}

double Survey::SaturatedCounts() const {
  if (spec_.saturation_counts() > 0) return spec_.saturation_counts();
  switch (input_.spec().type()) {
    case v1::U8:
      return std::numeric_limits<uint8_t>::max();
    case v1::U16:
      return std::numeric_limits<uint16_t>::max();
    default:
      return std::numeric_limits<double>::infinity();
  }
}

// Pairs of neighbours in time, else along z, else single planes.
absl::Status Survey::AddPlanes(NoiseFit& fit) {
  const int64_t apart = times() > 1 ? shape_.z : 1, all = times() * shape_.z;
  const bool pairs = all > apart;
  const int64_t first_ones = pairs ? all - apart : all, looks = std::min(kPairs, first_ones);
  for (int64_t i = 0; i < looks; ++i) {
    const int64_t n = i * first_ones / looks;
    ASSIGN_OR_RETURN(const std::vector<float> plane, Read(PlaneAt(n)));
    if (pairs) {
      ASSIGN_OR_RETURN(const std::vector<float> other, Read(PlaneAt(n + apart)));
      fit.AddPair(plane, other, shape_.x);
    } else {
      fit.AddPlane(plane, shape_.x);
    }
    RETURN_IF_ERROR(CheckCancelled());
  }
  return absl::OkStatus();
}

absl::Status Survey::FindNoise() {
  NoiseFit fit({.offset_counts = spec_.offset_counts(),
                .whole_counts = input_.spec().type() != v1::F32,
                .saturated_counts = SaturatedCounts()});
  RETURN_IF_ERROR(AddPlanes(fit));
  const std::optional<NoiseEstimate> noise = fit.Finish();
  if (!noise) {
    return MakeError({.reason = v1::INVALID_FIELD, .field = "deconvolve.estimate_gain", .remedy = kGainRemedy},
                     fmt::format("channel {}: the gain cannot be told from the image: its noise does not rise clearly "
                                 "with its light, as it does in smooth regions of different brightness",
                                 c_));
  }
  TakeNoise(*noise);
  return absl::OkStatus();
}

void Survey::TakeNoise(const NoiseEstimate& noise) {
  result.facts.set_gain_photons_per_count(noise.gain);
  result.facts.set_gain_error(noise.gain_error);
  const bool given = spec_.read_noise_photons() > 0;
  if (!given) {
    result.facts.set_read_noise_photons(noise.read_noise);
    result.facts.set_read_noise_estimated(true);
  }
  result.findings.push_back(Info(fmt::format(
      "channel {}: estimated from the noise of {} blocks: {:.4g} +- {:.2g} photons per count{}", c_, noise.blocks,
      noise.gain, noise.gain_error, given ? "" : fmt::format(", read noise {:.3g} photons", noise.read_noise))));
  if (noise.dark_variance >= -kSignificant * noise.dark_error) return;
  result.findings.push_back(Warning(
      fmt::format(
          "channel {}: the noise ends at {:.4g} counts, where there would still be light with the offset of {:g} "
          "counts; the offset is too low, and light that is none counts as photons",
          c_, noise.noiseless_counts, spec_.offset_counts()),
      "deconvolve.offset_counts", "Give the camera's counts in the dark as the offset."));
}

// The same rows of planes that are spread evenly, one after the other.
absl::StatusOr<std::vector<float>> Survey::ReadStrip(int64_t begin, int64_t end, int64_t planes) {
  std::vector<float> values;
  values.reserve(static_cast<size_t>(planes * (end - begin) * shape_.x));
  for (int64_t i = 0; i < planes; ++i) {
    FrameBox rows = PlaneAt(i * times() * shape_.z / planes);
    rows.box.origin.y = begin;
    rows.box.shape.y = end - begin;
    ASSIGN_OR_RETURN(const std::vector<float> plane, Read(rows));
    values.insert(values.end(), plane.begin(), plane.end());
  }
  RETURN_IF_ERROR(CheckCancelled());
  return values;
}

absl::Status Survey::FindPixels() {
  const int64_t planes = std::min(kPlanes, times() * shape_.z);
  const int64_t rows = StripRows(seen_, planes);
  std::vector<uint32_t> pixels;
  for (int64_t y = 0; y < shape_.y; y += rows) {
    const int64_t end = std::min(y + rows, shape_.y);
    const int64_t first = std::max<int64_t>(y - kMargin, 0), last = std::min(end + kMargin, shape_.y);
    ASSIGN_OR_RETURN(std::vector<float> strip, ReadStrip(first, last, planes));
    for (const uint32_t place : FindBadPixels(std::move(strip), planes, shape_.x)) {
      const int64_t pixel = first * shape_.x + place;
      if (pixel >= y * shape_.x && pixel < end * shape_.x) pixels.push_back(static_cast<uint32_t>(pixel));
    }
  }
  TakePixels(pixels);
  return absl::OkStatus();
}

void Survey::TakePixels(const std::vector<uint32_t>& pixels) {
  if (pixels.empty()) return;
  const auto count = static_cast<int64_t>(pixels.size()), all = shape_.y * shape_.x;
  if (count > kMostListed || static_cast<double>(count) > std::max(kMostBadPixels * static_cast<double>(all), 8.0)) {
    result.findings.push_back(Info(fmt::format(
        "channel {}: {} of {} pixels stand out at the same place of all planes, more than single bad pixels of a "
        "camera: "
        "the specimen, or a camera's fixed pattern, which should be taken off first; they are left as they are",
        c_, count, all)));
    return;
  }
  result.facts.mutable_bad_pixels()->Assign(pixels.begin(), pixels.end());
  const v1::Boundary boundary = spec_.boundary();
  const bool masked = boundary != v1::PERIODIC && boundary != v1::MIRROR;
  result.findings.push_back(Info(fmt::format(
      "channel {}: {} {} at the same place of all planes (a hot or dead pixel of the camera), the first at y={} x={}; "
      "what it should have seen is told from {}",
      c_, count, count == 1 ? "pixel stands out" : "pixels stand out", pixels.front() / shape_.x,
      pixels.front() % shape_.x, masked ? "the light around it" : "its neighbours' median")));
}

absl::Status Survey::MeasureFlatField(const v1::VolumeAccess& flat) {
  constexpr char kField[] = "deconvolve.flat_field_volume";
  const FrameBox plane = RegionOfFlatField(flat, PlaneAt(0));
  ASSIGN_OR_RETURN(const std::vector<float> values, ReadRegion(context_.source(), flat, plane));
  double sum = 0, most = 0;
  int64_t lit = 0;
  for (const float v : values) {
    if (!std::isfinite(v)) {
      return MakeError({.reason = v1::NOT_FINITE_INPUT, .field = kField, .remedy = "Measure the flat field again."},
                       "the flat field has NaN or infinite voxels");
    }
    if (!(v > 0)) continue;
    sum += v;
    most = std::max(most, static_cast<double>(v));
    ++lit;
  }
  const auto dark = static_cast<int64_t>(values.size()) - lit;
  if (lit == 0) {
    return MakeError({.reason = v1::INVALID_FIELD, .field = kField, .remedy = "Take its offset off, and not more."},
                     fmt::format("the flat field has no voxel above 0 for channel {}", c_));
  }
  const bool weigh = spec_.boundary() != v1::PERIODIC && spec_.boundary() != v1::MIRROR;
  if (dark > 0 && !weigh) {
    return MakeError({.reason = v1::INVALID_FIELD, .field = kField, .remedy = "Choose the boundary `extend`."},
                     fmt::format("the flat field has {} voxels that are not above 0, which needs the boundary EXTEND, "
                                 "with which voxels need not count",
                                 dark));
  }
  result.facts.set_flat_field_mean(sum / static_cast<double>(lit));
  result.facts.set_flat_field_maximum(most);
  const double mean = result.facts.flat_field_mean();
  result.findings.push_back(
      Info(fmt::format("channel {}: the image is divided by its flat field, up to {:.3g} of its mean{}", c_,
                       most / mean, dark > 0 ? fmt::format("; {} dark pixels do not count", dark) : "")));
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<CameraSurvey> SurveyCamera(const v1::DeconvolveSpec& spec, const v1::VolumeAccess& input,
                                          const v1::VolumeSpec& seen, const v1::VolumeAccess* mask,
                                          const v1::VolumeAccess* flat, int64_t c, TaskContext& context) {
  Survey survey(spec, input, seen, mask, c, context);
  if (spec.estimate_gain()) RETURN_IF_ERROR(survey.FindNoise());
  if (LooksForBadPixels(spec, seen)) RETURN_IF_ERROR(survey.FindPixels());
  if (flat != nullptr) RETURN_IF_ERROR(survey.MeasureFlatField(*flat));
  return std::move(survey.result);
}

bool LooksForBadPixels(const v1::DeconvolveSpec& spec, const v1::VolumeSpec& seen) {
  const Shape3 frame = FrameShape(seen);
  return !spec.keep_bad_pixels() && int64_t{seen.shape().t()} * frame.z >= kLeastPlanesForBadPixels &&
         std::min(frame.y, frame.x) >= kLeastExtentForBadPixels;
}

int64_t CameraSurveyBytes(const v1::DeconvolveSpec& spec, const v1::VolumeSpec& seen) {
  const Shape3 frame = FrameShape(seen);
  const int64_t two_planes = 2 * frame.y * frame.x * static_cast<int64_t>(sizeof(float));
  const bool masked = !spec.mask_volume().empty();
  int64_t for_reading = PlaneReadingBytes(seen.type(), {1, frame.y, frame.x});
  if (masked) for_reading += PlaneReadingBytes(v1::U8, {1, frame.y, frame.x});
  int64_t bytes = spec.flat_field_volume().empty() ? 0 : two_planes;
  if (spec.estimate_gain()) bytes = std::max(bytes, NoiseFit::kBytes + two_planes + for_reading);
  if (LooksForBadPixels(spec, seen)) {
    const int64_t planes = std::min<int64_t>(kPlanes, int64_t{seen.shape().t()} * frame.z);
    const int64_t rows = std::min(StripRows(seen, planes) + 2 * kMargin, frame.y);
    bytes = std::max(bytes, rows * RowBytes(seen, planes + (masked ? 5 : 3)));
  }
  return bytes;
}

}  // namespace deconvoy::worker

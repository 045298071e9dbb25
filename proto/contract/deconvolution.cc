#include "proto/contract/deconvolution.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <string>
#include <utility>

#include "proto/contract/error.h"
#include "proto/contract/limits.h"
#include "proto/contract/volume_layout.h"

namespace deconvoy {
namespace {

constexpr int64_t kMillibytesPerOtfVoxel = 4300;  // half a spectrum of complex numbers, with the gaps between its rows
constexpr int64_t kMillibytesPerFloat = 4000;

// The same without what its denoisers take.
v1::Method WithoutDenoisers(v1::Method method) {
  for (v1::Parameter& parameter : *method.mutable_parameters()) {
    if (parameter.name() == kDenoiser) parameter.clear_choices();
  }
  return method;
}

}  // namespace

int64_t AxialUpsample(const v1::DeconvolveSpec& spec) {
  const auto found = spec.parameters().find("axial_upsample");
  if (found == spec.parameters().end()) return 1;
  const std::string& text = found->second;
  int64_t upsample = 1;
  std::from_chars(text.data(), text.data() + text.size(), upsample);
  return std::clamp<int64_t>(upsample, 1, kMostAxialUpsample);
}

bool HasMask(const v1::DeconvolveSpec& spec) {
  return !spec.mask_volume().empty() || spec.saturation_counts() > 0 || spec.correct_motion() ||
         AxialUpsample(spec) > 1;
}

bool HasWeights(const v1::DeconvolveSpec& spec, bool bad_pixels) {
  if (HasMask(spec)) return true;
  const bool corrects = spec.correct_bleaching() || spec.correct_flicker() || !spec.flat_field_volume().empty();
  return (corrects || bad_pixels) && spec.boundary() != v1::PERIODIC && spec.boundary() != v1::MIRROR;
}

v1::VolumeSpec OnResultGrid(const v1::DeconvolveSpec& spec, v1::VolumeSpec input) {
  const int64_t upsample = AxialUpsample(spec);
  input.mutable_shape()->set_z(static_cast<uint32_t>(input.shape().z() * upsample));
  if (upsample > 1 && input.has_voxel_size()) {
    input.mutable_voxel_size()->set_z_um(input.voxel_size().z_um() / static_cast<double>(upsample));
  }
  return input;
}

Box3 ResultBox(const v1::DeconvolveSpec& spec, const v1::VolumeSpec& input) {
  const int64_t upsample = AxialUpsample(spec);
  Box3 box{{}, {input.shape().z(), input.shape().y(), input.shape().x()}};
  if (spec.has_region_shape()) box = {ToVoxel(spec.region_origin()), ToShape3(spec.region_shape())};
  box.origin.z *= upsample;
  box.shape.z *= upsample;
  return box;
}

v1::VolumeSpec ResultVolume(const v1::DeconvolveSpec& spec, v1::VolumeSpec input) {
  const Shape3 shape = ResultBox(spec, input).shape;
  v1::VolumeSpec result = OnResultGrid(spec, std::move(input));
  result.mutable_shape()->set_z(static_cast<uint32_t>(shape.z));
  result.mutable_shape()->set_y(static_cast<uint32_t>(shape.y));
  result.mutable_shape()->set_x(static_cast<uint32_t>(shape.x));
  return result;
}

Box3 MeasuredPlanes(const Box3& box, int64_t upsample) {
  const auto from = [upsample](int64_t plane) { return (plane + upsample - 1) / upsample; };
  Box3 measured = box;
  measured.origin.z = from(box.origin.z);
  measured.shape.z = from(box.end().z) - measured.origin.z;
  return measured;
}

absl::Status CheckRegion(const v1::DeconvolveSpec& spec, const v1::VolumeSpec& image) {
  const Box3 frame{{}, {image.shape().z(), image.shape().y(), image.shape().x()}};
  if (!spec.has_region_shape()) return absl::OkStatus();
  const Box3 region{ToVoxel(spec.region_origin()), ToShape3(spec.region_shape())};
  if (!region.empty() && frame.Contains(region)) return absl::OkStatus();
  const Voxel &begin = region.origin, end = region.end();
  const Shape3& extent = frame.shape;
  return MakeError(
      {.reason = v1::INVALID_FIELD,
       .field = "deconvolve.region_shape",
       .remedy = fmt::format("Give a region inside planes 0:{}, rows 0:{} and columns 0:{}, or none.", extent.z,
                             extent.y, extent.x)},
      fmt::format("the region of planes {}:{}, rows {}:{} and columns {}:{} does not lie inside the image of {} x {} x "
                  "{} voxels",
                  begin.z, end.z, begin.y, end.y, begin.x, end.x, extent.z, extent.y, extent.x));
}

absl::Status CheckViews(const v1::Method& method, const v1::VolumeSpec& image, const v1::VolumeSpec& psf) {
  const uint32_t views = image.shape().c();
  if (!method.joins_channels() || psf.shape().c() == views) return absl::OkStatus();
  return MakeError({.reason = v1::SHAPE_MISMATCH,
                    .field = "deconvolve.psf_volume",
                    .remedy = "Give a PSF of as many channels as the image, in the order of its views."},
                   fmt::format("`{}` needs a PSF for each view, but there are {} for {} views (channels)",
                               method.name(), psf.shape().c(), views));
}

absl::Status CheckDepths(const v1::DeconvolveSpec& spec, const v1::Method& method) {
  if (spec.psf_depths_um_size() == 0) return absl::OkStatus();
  if (method.estimates_psf()) {
    return MakeError({.reason = v1::INVALID_FIELD,
                      .field = "deconvolve.psf_depths_um",
                      .remedy = "Give one PSF for all depths, or choose a method that takes the PSF as it is given."},
                     fmt::format("`{}` estimates one PSF for all depths", method.name()));
  }
  if (!method.joins_channels()) return absl::OkStatus();
  return MakeError({.reason = v1::INVALID_FIELD,
                    .field = "deconvolve.psf_depths_um",
                    .remedy = "Give one PSF for each view, or choose a method that takes channels one by one."},
                   fmt::format("`{}` joins views, and cannot take PSFs of several depths", method.name()));
}

absl::Status CheckResidual(const v1::DeconvolveSpec& spec, const v1::Method& method) {
  if (!spec.residual() || (!method.joins_channels() && spec.psf_depths_um_size() <= 1)) return absl::OkStatus();
  return MakeError(
      {.reason = v1::INVALID_FIELD, .field = "deconvolve.residual", .remedy = "Leave it out, or give one PSF."},
      "there is no map of the residual with several PSFs, of views or of depths");
}

absl::Status CheckPlaneBackgrounds(const v1::DeconvolveSpec& spec, const v1::VolumeSpec& image) {
  const auto given = static_cast<uint32_t>(spec.background_planes().counts_size());
  if (!spec.has_background_planes() || given == image.shape().z()) return absl::OkStatus();
  return MakeError({.reason = v1::INVALID_FIELD,
                    .field = "deconvolve.background_planes",
                    .remedy = "Give one number for each plane, or one for all."},
                   fmt::format("backgrounds are given for {} planes, but the image has {}", given, image.shape().z()));
}

absl::Status CheckFrameCount(const v1::DeconvolveSpec& spec, const v1::VolumeSpec& image) {
  const int64_t frames = int64_t{image.shape().t()} * image.shape().c();
  if (spec.first_planes() > 0 || frames <= limits::kAnalysedFrames) return absl::OkStatus();
  return MakeError({.reason = v1::LIMIT_EXCEEDED,
                    .field = "deconvolve.input_volume",
                    .remedy = "Cut the volume into several along time.",
                    .metadata = {{"limit", fmt::to_string(limits::kAnalysedFrames)}}},
                   fmt::format("the image has {} frames (time points times channels), more than {}", frames,
                               limits::kAnalysedFrames));
}

bool FitsPupil(const v1::DeconvolveSpec& spec, const v1::Method& method) {
  const auto given = spec.parameters().find(std::string(kZernike));
  return method.estimates_psf() && given != spec.parameters().end() && given->second != "none";
}

absl::Status CheckPupil(const v1::DeconvolveSpec& spec, const v1::Method& method, const v1::VolumeSpec& image,
                        const v1::VolumeSpec& psf) {
  if (!FitsPupil(spec, method)) return absl::OkStatus();
  if (spec.optics().empty()) {
    return MakeError(
        {.reason = v1::INVALID_FIELD,
         .field = "deconvolve.optics",
         .remedy = "Give the optics (NA, wavelength, refractive indices), or leave `zernike` out."},
        fmt::format("`{}` with `zernike` fits the pupil of the microscope, but no optics are given", method.name()));
  }
  const v1::VoxelSize voxel = PsfVoxelSize(image.voxel_size(), psf.voxel_size());
  if ((voxel.z_um() > 0 || psf.shape().z() == 1) && voxel.y_um() > 0 && voxel.x_um() > 0) return absl::OkStatus();
  return MakeError({.reason = v1::INVALID_FIELD,
                    .field = "deconvolve.psf_volume",
                    .remedy = "Give the voxel size of the image and of the PSF, or leave `zernike` out."},
                   fmt::format("`{}` with `zernike` computes the PSF of the optics, but the size of its voxels is not "
                               "known",
                               method.name()));
}

v1::VoxelSize PsfVoxelSize(const v1::VoxelSize& image, const v1::VoxelSize& psf) {
  v1::VoxelSize known = psf;
  if (!(known.z_um() > 0)) known.set_z_um(image.z_um());
  if (!(known.y_um() > 0)) known.set_y_um(image.y_um());
  if (!(known.x_um() > 0)) known.set_x_um(image.x_um());
  return known;
}

int64_t PsfsOfTile(const v1::DeconvolveSpec& spec, const v1::Method& method, int64_t channels) {
  return method.joins_channels() ? channels : std::max<int64_t>(spec.psf_depths_um_size(), 1);
}

MethodMemory MemoryOf(const v1::Method& method, const Parameters& parameters, const v1::DeconvolveSpec& spec,
                      int64_t psfs, bool bad_pixels) {
  const bool learned = method.takes_denoiser() && !spec.models().empty();
  MethodMemory memory = MemoryOf(learned ? WithoutDenoisers(method) : method, parameters, spec.residual());
  const int64_t views = method.joins_channels() ? psfs : 1;
  memory.millibytes_per_padded_voxel += (views - 1) * kMillibytesPerOtfVoxel;
  memory.millibytes_per_measured_voxel *= views;
  memory.bytes_per_weight *= views;
  if (spec.psf_depths_um_size() > 1) memory.millibytes_per_measured_voxel += kMillibytesPerFloat;
  if (!spec.flat_field_volume().empty()) memory.millibytes_per_measured_voxel += kMillibytesPerFloat;
  if (HasWeights(spec, bad_pixels)) {
    memory.millibytes_per_measured_voxel += views * kMillibytesPerFloat;
    memory.millibytes_per_padded_voxel += 1000 * memory.bytes_per_weight;
    memory.bytes_per_weight = 0;
  }
  return memory;
}

}  // namespace deconvoy

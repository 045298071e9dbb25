// Which volumes go together: images and PSFs, and stacks of beads.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <string>

#include "proto/contract/deconvolution.h"
#include "proto/contract/error.h"
#include "proto/contract/limits.h"
#include "proto/contract/psf_grid.h"
#include "proto/contract/status_macros.h"
#include "proto/contract/validation.h"
#include "proto/contract/volume_layout.h"

namespace deconvoy {
namespace {

constexpr double kIdenticalVoxelSize = 1e-5;  // up to which a difference is not worth a word: file formats round

absl::Status Mismatch(std::string_view message, std::string_view remedy) {
  return MakeError({.reason = v1::SHAPE_MISMATCH, .field = "deconvolve.psf_volume", .remedy = std::string(remedy)},
                   message);
}

std::string SizeText(const v1::VoxelSize& size) {
  return fmt::format("{:.6g} x {:.6g} x {:.6g} um", size.z_um(), size.y_um(), size.x_um());
}

// What to try when the sizes are a factor of a thousand apart: then one of them is in another unit. Empty otherwise.
std::string UnitHint(const v1::VoxelSize& image, const v1::VoxelSize& psf) {
  const auto thousandfold = [](double one, double other) {
    return one == 0 || other == 0 || std::abs(one / other - 1000) <= 1000 * kSameVoxelSize;
  };
  const auto all = [&](const v1::VoxelSize& one, const v1::VoxelSize& other) {
    return thousandfold(one.z_um(), other.z_um()) && thousandfold(one.y_um(), other.y_um()) &&
           thousandfold(one.x_um(), other.x_um());
  };
  const bool image_larger = all(image, psf);
  if (!image_larger && !all(psf, image)) return "";
  const v1::VoxelSize& larger = image_larger ? image : psf;
  const bool nanometres = std::max({larger.z_um(), larger.y_um(), larger.x_um()}) > limits::kMostUsualVoxelUm;
  const bool image_wrong = image_larger == nanometres;
  return fmt::format("The sizes of the {} look like {} taken for um: give them in um (`{}`).",
                     image_wrong ? "image" : "PSF", nanometres ? "nm" : "mm",
                     image_wrong ? "--voxel-um" : "--psf-voxel-um");
}

// Largest relative difference along the axes where both are known.
double SizeDifference(const v1::VoxelSize& a, const v1::VoxelSize& b) {
  const auto along = [](double one, double other) {
    return one > 0 && other > 0 ? std::max(one, other) / std::min(one, other) - 1 : 0.0;
  };
  return std::max({along(a.z_um(), b.z_um()), along(a.y_um(), b.y_um()), along(a.x_um(), b.x_um())});
}

// Channels, extents and voxel sizes of image and PSF.
absl::Status CheckPair(const v1::VolumeSpec& image, const v1::VolumeSpec& psf, std::string* note) {
  const v1::Shape5& shape = psf.shape();
  if (shape.c() != 1 && shape.c() != image.shape().c()) {
    return Mismatch(fmt::format("the PSF has {} channels, but the image has {}", shape.c(), image.shape().c()),
                    "Give a PSF of one channel, or of as many as the image has.");
  }
  const int64_t room = limits::kPsfVoxels / std::max<int64_t>(shape.z(), 1) / std::max<int64_t>(shape.y(), 1);
  if (shape.x() > room) {
    return MakeError({.reason = v1::LIMIT_EXCEEDED,
                      .field = "deconvolve.psf_volume",
                      .remedy = "Crop the PSF.",
                      .metadata = {{"limit", fmt::to_string(limits::kPsfVoxels)}}},
                     fmt::format("`deconvolve.psf_volume` has {} x {} x {} voxels, more than {}", shape.z(), shape.y(),
                                 shape.x(), limits::kPsfVoxels));
  }
  const double difference = SizeDifference(image.voxel_size(), psf.voxel_size());
  const std::string sizes = fmt::format("voxels of {} (z,y,x) in the image and {} in the PSF",
                                        SizeText(image.voxel_size()), SizeText(psf.voxel_size()));
  if (difference > kSameVoxelSize + 1e-9) {
    const std::string apart = difference < 1 ? fmt::format("by {:.1f} %", 100 * difference)
                                             : fmt::format("by a factor of {:.4g}", 1 + difference);
    const std::string hint = UnitHint(image.voxel_size(), psf.voxel_size());
    return MakeError(
        {.reason = v1::VOXEL_SIZE_MISMATCH,
         .field = "deconvolve.psf_volume",
         .remedy =
             hint.empty() ? "Resample the PSF to the image's voxel size, or correct the size that is wrong." : hint},
        fmt::format("{} differ {}", sizes, apart));
  }
  if (note != nullptr) {
    *note = difference > kIdenticalVoxelSize ? fmt::format("{} count as equal", sizes) : std::string();
  }
  return absl::OkStatus();
}

absl::Status CheckDepthStacks(const v1::DeconvolveSpec& spec, const v1::VolumeSpec& image, const v1::VolumeSpec& psf) {
  const auto depths = static_cast<uint32_t>(spec.psf_depths_um_size());
  if (psf.shape().t() != depths) {
    return Mismatch(fmt::format("the PSF has {} stacks, but there are {} depths", psf.shape().t(), depths),
                    "Give one stack (time point) of the PSF for each depth, in their order.");
  }
  if (image.voxel_size().z_um() > 0) return absl::OkStatus();
  return MakeError(
      {.reason = v1::INVALID_FIELD,
       .field = "deconvolve.input_volume",
       .remedy = "Give the voxel size (`--voxel-um`)."},
      "`deconvolve.input_volume` does not tell how far its planes are apart, and so not how deep they lie");
}

}  // namespace

bool IsSameVoxelSize(const v1::VoxelSize& a, const v1::VoxelSize& b) {
  return SizeDifference(a, b) <= kSameVoxelSize + 1e-9;
}

absl::Status ValidatePair(const v1::VolumeSpec& image, const v1::VolumeSpec& psf, std::string* note) {
  if (psf.shape().t() != 1) {
    return Mismatch(fmt::format("the PSF has {} time points, but must have 1", psf.shape().t()),
                    "Give a PSF of one time point; stacks for several depths need the depths, too.");
  }
  return CheckPair(image, psf, note);
}

absl::Status ValidatePsf(const v1::DeconvolveSpec& spec, const v1::VolumeSpec& image, const v1::VolumeSpec& psf,
                         std::string* note) {
  const bool several = spec.psf_depths_um_size() > 0;
  if (several) RETURN_IF_ERROR(CheckDepthStacks(spec, image, psf));
  const v1::VolumeSpec grid = OnResultGrid(spec, image);
  const absl::Status pair = several ? CheckPair(grid, psf, note) : ValidatePair(grid, psf, note);
  if (ReasonOf(pair) != v1::VOXEL_SIZE_MISMATCH) return pair;
  if (AxialUpsample(spec) == 1) {
    if (!StepsOf(grid.voxel_size(), psf.voxel_size()).usable()) return pair;
    if (note != nullptr) {
      *note = fmt::format("the PSF's voxels of {} (z,y,x) become the image's of {}", SizeText(psf.voxel_size()),
                          SizeText(grid.voxel_size()));
    }
    return absl::OkStatus();
  }
  return MakeError(
      {.reason = v1::VOXEL_SIZE_MISMATCH,
       .field = "deconvolve.psf_volume",
       .remedy = fmt::format("Give the PSF with planes {:.6g} um apart, or leave `axial_upsample` out.",
                             grid.voxel_size().z_um())},
      fmt::format("with `axial_upsample` {} the result has voxels of {} (z,y,x), but those of the PSF are {}",
                  AxialUpsample(spec), SizeText(grid.voxel_size()), SizeText(psf.voxel_size())));
}

absl::Status ValidateBeads(const v1::DistillSpec& spec, const v1::VolumeSpec& first, const v1::VolumeSpec& volume) {
  const Shape3 shape = ToShape3(spec.shape());
  const v1::Shape5& stack = volume.shape();
  if (shape.z > stack.z() || shape.y > stack.y() || shape.x > stack.x()) {
    return MakeError(
        {.reason = v1::SHAPE_MISMATCH, .field = "distill.shape", .remedy = "Give smaller extents, or a larger stack."},
        fmt::format("a PSF of {} x {} x {} voxels cannot come from a stack of {} x {} x {}", shape.z, shape.y, shape.x,
                    stack.z(), stack.y(), stack.x()));
  }
  if (spec.channel() >= stack.c()) {
    return MakeError(
        {.reason = v1::INVALID_FIELD, .field = "distill.channel", .remedy = "Channels are counted from 0."},
        fmt::format("`distill.channel` is {}, but a stack has {} channels", spec.channel(), stack.c()));
  }
  if (IsSameVoxelSize(first.voxel_size(), volume.voxel_size())) return absl::OkStatus();
  return MakeError({.reason = v1::VOXEL_SIZE_MISMATCH,
                    .field = "distill.more_volumes",
                    .remedy = "Make a PSF of each, or correct the size that is wrong."},
                   fmt::format("the stacks of beads have voxels of {} and of {} (z,y,x)", SizeText(first.voxel_size()),
                               SizeText(volume.voxel_size())));
}

}  // namespace deconvoy

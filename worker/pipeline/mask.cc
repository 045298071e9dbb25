#include "worker/pipeline/mask.h"

#include <algorithm>
#include <cmath>

#include "proto/contract/status_macros.h"

namespace deconvoy::worker {

absl::StatusOr<const v1::VolumeAccess*> FindMask(const v1::Task& task, const v1::DeconvolveSpec& spec) {
  if (spec.mask_volume().empty()) return nullptr;
  return FindInput(task, spec.mask_volume());
}

FrameBox RegionOfMask(const v1::VolumeAccess& mask, FrameBox image) {
  image.t = 0;
  if (mask.spec().shape().c() == 1) image.c = 0;
  return image;
}

MaskReader::MaskReader(VolumeSource& source, const v1::VolumeAccess* mask, double saturation_counts,
                       const FrameBox& region, const RegionCorrection* correction)
    : saturation_counts_(saturation_counts), columns_(region.box.shape.x), correction_(correction) {
  if (mask != nullptr) mask_.emplace(source, *mask, RegionOfMask(*mask, region));
}

absl::StatusOr<std::span<const float>> MaskReader::Read(int64_t z, float fill, std::span<float> counts) {
  if (correction_ != nullptr && !correction_->weigh) ReplaceBadPixels(correction_->bad_pixels, columns_, counts);
  const bool weighs = correction_ != nullptr && correction_->masks();
  if (!mask_.has_value() && saturation_counts_ <= 0 && !weighs) return std::span<const float>();
  plane_.assign(counts.size(), 1.0F);
  if (mask_.has_value()) {
    ASSIGN_OR_RETURN(const std::span<float> mask, mask_->Read(z));
    for (size_t i = 0; i < counts.size(); ++i) {
      if (mask[i] != 0) continue;
      plane_[i] = 0;
      counts[i] = fill;
    }
  }
  if (saturation_counts_ > 0) {
    for (size_t i = 0; i < counts.size(); ++i) {
      if (!(counts[i] >= saturation_counts_)) continue;
      plane_[i] = 0;
      counts[i] = static_cast<float>(saturation_counts_);
    }
  }
  if (weighs) {
    for (const size_t pixel : correction_->bad_pixels) {
      plane_[pixel] = 0;
      counts[pixel] = fill;
    }
    correction_->light.Weigh(z, plane_);
    for (size_t i = 0; i < counts.size(); ++i) {
      if (plane_[i] == 0 && !std::isfinite(counts[i])) counts[i] = fill;
    }
  }
  return std::span<const float>(plane_);
}

}  // namespace deconvoy::worker

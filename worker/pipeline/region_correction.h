// What is known of a channel's camera and of a frame's light, for a region of the image.
#pragma once

#include <absl/status/statusor.h>

#include <cstddef>
#include <optional>
#include <span>
#include <vector>

#include "worker/imaging/light_correction.h"
#include "worker/pipeline/task_context.h"

namespace deconvoy::worker {

// The flat field of a task; null where its specification names none. Errors: those of FindInput.
absl::StatusOr<const v1::VolumeAccess*> FindFlatField(const v1::Task& task, const v1::DeconvolveSpec& spec);

// The part of the flat field's one plane that belongs to a region of the image; it may have one channel for all.
FrameBox RegionOfFlatField(const v1::VolumeAccess& flat, const FrameBox& image);

struct RegionCorrection {
  std::vector<size_t> bad_pixels = {};  // places in a plane of the region, rising
  bool weigh = true;  // m may tell what a voxel counts; else bad pixels take the median of their neighbours
  LightCorrection light = {};

  // Whether there is an m though neither a mask volume nor saturation asks for one.
  bool masks() const { return weigh && (!bad_pixels.empty() || light.weighs()); }
};

// What a correction depends on.
struct CorrectionInputs {
  const v1::DeconvolveSpec* spec = nullptr;
  const v1::VolumeAccess* flat = nullptr;      // null: none
  const v1::ChannelFacts* channel = nullptr;   // null: nothing is known of the camera
  const v1::FrameStatistics* frame = nullptr;  // null: nothing is known of its light yet
  int64_t columns = 0;                         // of the image's planes
};

// For `region` of the image. Errors: those of the source.
absl::StatusOr<RegionCorrection> CorrectionOf(const CorrectionInputs& inputs, const FrameBox& region,
                                              VolumeSource& source);

// Bad pixels of a plane of `columns` take the median of their good neighbours, as far as those are in the plane.
void ReplaceBadPixels(std::span<const size_t> bad_pixels, int64_t columns, std::span<float> plane);

}  // namespace deconvoy::worker

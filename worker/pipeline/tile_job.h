// A task on a tile in the terms of this program, and what it reads.
#pragma once

#include <absl/status/statusor.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "proto/contract/deconvolution.h"
#include "proto/contract/parameters.h"
#include "worker/methods/method.h"
#include "worker/pipeline/count_scale.h"
#include "worker/pipeline/measured.h"
#include "worker/pipeline/task_context.h"

namespace deconvoy::worker {

struct TileJob {
  const v1::TileTask& tile;
  const Method* method;
  Parameters parameters;
  v1::Boundary boundary;
  std::vector<CountScale> scales;  // of the channels
  FrameBox core;
  FrameBox loaded;
  Shape3 domain;
  const v1::VolumeAccess* input;
  const v1::VolumeAccess* mask;      // null: none
  const v1::VolumeAccess* flat;      // null: none
  const v1::VolumeAccess* previous;  // null: none
  std::vector<int64_t> channels;     // of the input: one, or each view's

  bool blends() const { return !method->description().joins_channels() && tile.psfs_size() > 1; }
  int64_t upsample() const { return AxialUpsample(tile.spec()); }
  // Of the result: that of the first channel.
  const CountScale& scale() const { return scales.front(); }
  float background(size_t view) const {
    return static_cast<float>(tile.frames(static_cast<int>(view)).background() + scales[view].variance());
  }
  // Of the frames that are read, over which it is the mean.
  float mean() const { return MeanOf(&v1::FrameStatistics::mean); }
  float variance() const { return MeanOf(&v1::FrameStatistics::variance); }
  float MeanOf(double (v1::FrameStatistics::*fact)() const) const {
    double sum = 0;
    for (const v1::FrameStatistics& frame : tile.frames()) sum += (frame.*fact)();
    return static_cast<float>(sum / tile.frames_size());
  }
  // The core inside the domain.
  Box3 core_in_domain() const { return {core.box.origin - loaded.box.origin, core.box.shape}; }
};

// Errors: UNKNOWN_METHOD, INVALID_FIELD, those of parameters. `task` and `tile` must outlive the job.
absl::StatusOr<TileJob> MakeTileJob(const v1::Task& task, const v1::TileTask& tile);

// What the core received.
struct CoreFacts {
  double input_sum = 0;  // counts above offset and background, over the voxels that count
  bool light = false;    // some voxel is above the background
};

// The box of the arrays of measured voxels.
Box3 MeasuredBox(const TileJob& job);

// y and m of every view.
absl::StatusOr<std::vector<Measured>> LoadViews(const TileJob& job, TaskContext& context, Ops& ops, CoreFacts& facts);

// The result of the time point before, as photons. REQUIRES: there is one.
absl::Status LoadPrevious(const TileJob& job, TaskContext& context, Ops& ops, Array& previous);

Differences DifferencesOf(const TileJob& job);

}  // namespace deconvoy::worker

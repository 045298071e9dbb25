// What a tile yields: its core as counts, and what the result tells beside its image.
#pragma once

#include <absl/status/statusor.h>

#include <cstdint>
#include <functional>
#include <span>

#include "worker/imaging/counts.h"
#include "worker/imaging/result_noise.h"
#include "worker/ops/backend.h"
#include "worker/pipeline/measured.h"
#include "worker/pipeline/piece_writer.h"
#include "worker/pipeline/residual_map.h"
#include "worker/pipeline/tile_job.h"

namespace deconvoy::worker {

// Fills in plane `z` of the core, as photons.
using CorePlane = std::function<absl::Status(int64_t z, std::span<float> photons)>;

// What was measured in the core.
struct MeasuredCore {
  CorePlane light;  // none: the noise is not looked at
  CorePlane mask;   // m instead of photons; none: 1 everywhere
};

// The core on its way out.
struct CoreOutput {
  CountTotals counts;
  NoiseSums noise;
  v1::PreviewPart preview;  // as it was written; empty where none is wanted
};

// Converts the core plane by plane. Without `result` it is that of a frame without any light, whose result is zero;
// flat regions are looked for in every fourth plane, of those that were measured. All are called from the calling
// thread.
absl::StatusOr<CoreOutput> WriteCore(const TileJob& job, const v1::Task& task, const CorePlane& result,
                                     const MeasuredCore& measured, int threads, PieceWriter& writer);

// The same on a device, which makes voxels and sums of `result` where it lies; `first` is what was measured of the
// first view. Errors: those of ops and the writer. REQUIRES: `ops` have a `Finishing`.
absl::StatusOr<CoreOutput> WriteCoreFrom(const TileJob& job, const v1::Task& task, Ops& ops, const Array& result,
                                         const Measured& first, PieceWriter& writer);

// BAD_OUTPUT for NaN, infinity, or nothing but zeros where there is light.
absl::Status CheckOutput(const TileJob& job, const CoreFacts& input, const CountTotals& output);

// How the residual of one view is measured.
ResidualScale ResidualScaleOf(const TileJob& job, size_t view);

void Report(const ResidualSums& residual, const NoiseSums& noise, v1::QualityStatistics& quality);
void Report(const CoreFacts& input, const CountTotals& output, v1::ResultStatistics& statistics);

}  // namespace deconvoy::worker

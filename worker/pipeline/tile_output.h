// What a tile yields: its core as counts, and what the result tells beside its image.
#pragma once

#include <absl/status/statusor.h>

#include <cstdint>
#include <functional>
#include <span>

#include "worker/imaging/counts.h"
#include "worker/imaging/result_noise.h"
#include "worker/pipeline/piece_writer.h"
#include "worker/pipeline/residual_map.h"
#include "worker/pipeline/tile_job.h"

namespace deconvoy::worker {

// Fills in plane `z` of the core, as photons.
using CorePlane = std::function<absl::Status(int64_t z, std::span<float> photons)>;

// Converts the core plane by plane. Without `read` it is that of a frame without any light, whose result is zero.
absl::StatusOr<CountTotals> WriteCore(const TileJob& job, const v1::Task& task, const CorePlane& read,
                                      PieceWriter& writer);

// BAD_OUTPUT for NaN, infinity, or nothing but zeros where there is light.
absl::Status CheckOutput(const TileJob& job, const CoreFacts& input, const CountTotals& output);

// Adds what a plane of the result, plane `z` of the core, tells beside the image `y`.
absl::Status AddNoise(const TileJob& job, Ops& ops, const Array& y, int64_t z, std::span<const float> result,
                      NoiseSums& noise);

// How the residual of one view is measured.
ResidualScale ResidualScaleOf(const TileJob& job, size_t view);

void Report(const ResidualSums& residual, const NoiseSums& noise, v1::QualityStatistics& quality);
void Report(const CoreFacts& input, const CountTotals& output, v1::ResultStatistics& statistics);

}  // namespace deconvoy::worker

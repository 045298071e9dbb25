// Jobs on a volume that is still being written: which of their tasks have their input, and what follows when more of it
// is there. Of any other job everything is there.
#pragma once

#include <absl/status/status.h>

#include <cstdint>
#include <set>
#include <utility>

#include "proto/contract/tile_plan.h"
#include "server/jobs/job_step.h"
#include "server/jobs/live_job.h"

namespace deconvoy::server {

// Whether the job looks at first planes only, and its frames are cut into slabs: as a job does whose input is not there
// yet, and again when it is repeated on the complete volume. REQUIRES: `spec` comes from the preflight.
bool IsGrowing(const v1::JobSpec& spec);

// Planes of the first time point that the analysis of such a job looks at.
int64_t FirstPlanes(const v1::DeconvolveSpec& spec, const v1::VolumeSpec& input);

// Whether the planes are there that the analysis looks at.
bool AnalysisHasInput(const LiveJob& job);
// Whether all is there that a tile of this frame reads.
bool TileHasInput(const LiveJob& job, const TilePlan& plan, int64_t t, int64_t c, int64_t tile);

// Frames of the input, as time point and channel.
using Frames = std::set<std::pair<int64_t, int64_t>>;

// Makes the BLOCKED tasks READY that have what they wait for: the analysis, and tiles of these frames. With
// `previous_done` the frame before is known to be done, though the step that does its last tile is not over.
absl::Status UnblockAnalysis(JobStep& step);
absl::Status UnblockTiles(JobStep& step, const Frames& frames, bool previous_done = false);
// All of them.
Frames AllFrames(const LiveJob& job);

}  // namespace deconvoy::server

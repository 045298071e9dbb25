// What the analysis of a deconvolution and the tasks between it and the tiles found, and how its frames are cut: made
// once per job, kept with it, the same for every tile. Of an import, what was found in its file.
#pragma once

#include <absl/status/statusor.h>

#include <optional>
#include <string>
#include <vector>

#include "deconvoy/v1/workers.pb.h"
#include "proto/contract/tile_plan.h"

namespace deconvoy::server {

// What is to be read from an import's file.
struct ImportPlan {
  v1::VolumeSpec spec;  // of the volume
  v1::FileStamp stamp;  // of the file when it was looked at
};

struct JobPlan {
  TilePlan tiles;
  v1::AnalyseResult analysis;
  std::vector<v1::Calibration> samples = {};        // what each sample tile found so far
  std::vector<v1::Calibration> calibrations = {};   // what was chosen from them; empty until all are there
  std::vector<v1::PsfEstimate> psf_estimates = {};  // of the channels that are done so far, in no particular order
  std::optional<ImportPlan> import = {};            // of an import; else nothing
};

// What the analysis tells of a frame of an input with so many channels. Where it has told of the first time point only,
// that holds for all.
v1::FrameStatistics StatisticsOf(const v1::AnalyseResult& analysis, int64_t channels, int64_t t, int64_t c);

// The form kept in the store: CBOR with the extents by name, and the analysis, each calibration, each estimated PSF,
// and an import's volume and stamp as a serialised message.
std::string EncodePlan(const JobPlan& plan);
// INTERNAL with STORAGE_FAILURE for anything that EncodePlan has not made.
absl::StatusOr<JobPlan> DecodePlan(const std::string& bytes);

}  // namespace deconvoy::server

// Automatic parameters of a deconvolution: on which tiles they are found, and what is chosen.
#pragma once

#include <absl/status/status.h>

#include <cstdint>
#include <vector>

#include "deconvoy/v1/methods.pb.h"
#include "deconvoy/v1/workers.pb.h"
#include "server/jobs/job_plan.h"
#include "server/jobs/live_job.h"

namespace deconvoy::server {

// Tiles of a frame on which parameters are found: at most three, evenly spread over the frame's tiles.
std::vector<int64_t> SampleTiles(int64_t tiles);

// Whether some parameter is to be found. REQUIRES: `spec` comes from ResolveSpec.
bool IsAutomatic(const v1::DeconvolveSpec& spec);

// A task for each sample tile of each channel of the result, from number `first` on: of the time point in the middle,
// or of the first one where each starts from the one before. Empty where nothing is automatic.
std::vector<TaskRecord> CalibrationTasks(const LiveJob& job, const TilePlan& tiles, int64_t first);

// What task `number` found: nothing, of a blank frame, or one calibration for each automatic parameter. Errors:
// INVALID_FIELD for any other number of them, a channel that is not the task's, values that are not those of the other
// samples, and scores that are not numbers.
absl::Status CheckCalibrations(const LiveJob& job, int64_t number, const v1::CalibrateResult& result);

// One calibration for each channel and automatic parameter. The samples whose criterion is the most frequent are added
// up; where one ends before the others its last score stands for the rest. The lowest sum is chosen, the first of
// several, or of iterations the last within the method's slack; spectra are averaged. A channel without samples, whose
// frame is blank, takes the method's default.
std::vector<v1::Calibration> Choose(const v1::Method& method, const v1::DeconvolveSpec& spec, int64_t channels,
                                    const std::vector<v1::Calibration>& samples);

// The specification of one channel, with the values that were chosen.
v1::DeconvolveSpec WithChosen(v1::DeconvolveSpec spec, const std::vector<v1::Calibration>& calibrations,
                              int64_t channel);

}  // namespace deconvoy::server

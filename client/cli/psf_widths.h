// Widths of PSFs, as a check by a worker finds them, and how they change from version to version.
#pragma once

#include <absl/status/statusor.h>

#include <stop_token>
#include <string>
#include <vector>

#include "client/cli/job_run.h"
#include "client/cli/progress.h"
#include "client/cli/session.h"
#include "deconvoy/v1/jobs.pb.h"
#include "deconvoy/v1/volumes.pb.h"

namespace deconvoy::client {

// Full widths at half maximum of one channel, through the maximum; in um, or in voxels where their size is not known.
struct PsfWidths {
  uint32_t c = 0, t = 0;  // channel and stack, from 0
  double z = 0, y = 0, x = 0;
  bool in_um = true;
};

// From the reports of a job that has checked a PSF with voxels of this size.
std::vector<PsfWidths> WidthsOf(const v1::Job& job, const v1::VoxelSize& voxel);

// "0.62 x 0.21 x 0.21 um".
std::string WidthsText(const PsfWidths& widths);

// How much wider than `before`, axis by axis: "+12 %, -1 %, +0 %". Empty where they cannot be compared.
std::string DriftText(const PsfWidths& widths, const PsfWidths& before);
// The largest such change, as a share.
double Drift(const PsfWidths& widths, const PsfWidths& before);

// Has a worker check a PSF, whose findings are said as they come; nothing of the job stays on the server.
absl::StatusOr<v1::Job> CheckPsf(Session& session, const v1::CheckPsfSpec& check, Leftovers& leftovers,
                                 Progress& progress, const std::stop_token& stop);

}  // namespace deconvoy::client

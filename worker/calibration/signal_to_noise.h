// How much signal over noise an image has at each frequency, as Wiener's filter wants to know.
//
//   Sn = Sy where the microscope passes nothing,  or that of photons where it passes everything
//   Sx = mean of (Sy - Sn) / max(mean of |h^|^2, 1e-6),   means over a shell of frequencies
//
// and 0 from the first shell on in which the excess Sy - Sn is below a twentieth of Sn and three standard deviations of
// what noise gives; divided by |h^|^2, what is left by chance would look like light.
//
// Sy is the power of the image under a window (spectrum.h). Shell i of 32 holds the frequencies of w = 32 / pi
// sqrt(wz^2 + wy^2 + wx^2) in [i, i + 1), the last one those above, too.
#pragma once

#include <absl/status/statusor.h>

#include "deconvoy/v1/jobs.pb.h"
#include "worker/calibration/sample.h"

namespace deconvoy::worker {

// Sx/Sn by shell, for the parameter `nsr`. Memory: 4 bytes per measured voxel, 10 per voxel of the domain. Errors:
// those of Ops.
absl::StatusOr<v1::Calibration> MeasureSignalToNoise(const CalibrationSample& sample);

}  // namespace deconvoy::worker

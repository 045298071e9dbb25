// From the PSF as it was given to the PSF that is used: its background taken off, checked, centred, told at the image's
// voxels (worker/psf/resample.h), cropped and normalised.
//
// Background. Where it is not given but asked for, it is the median of the rims of all planes. What falls below zero
// becomes zero.
//
// Negative values count as zero everywhere (measured PSFs after background subtraction have some); their share is said.
//
// Crop. The box is symmetric about the centre, [centre - h, centre + h] with one h per axis; where it sticks out of the
// given PSF, zeros stand in. First h is the least that reaches every voxel, but at most M - 1 for an image of M voxels
// (what lies farther never joins two voxels of the image). Then the box shrinks by one layer on both sides of one axis
// at a time, the axis that loses least of the sum per voxel removed (z before y before x among equals), as long as it
// holds `energy` of the sum it had before shrinking. A PERIODIC PSF is used as a whole. The report tells the spread of
// the light in the box, which says how wide a halo tiles need.
//
// Pure functions; threads may share everything.
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <cstdint>
#include <span>
#include <vector>

#include "deconvoy/v1/jobs.pb.h"
#include "proto/contract/geometry.h"
#include "proto/contract/psf_grid.h"

namespace deconvoy::worker {

// What is taken off the given values.
enum class PsfBackground { kNone, kAuto, kGiven };

struct PsfOptions {
  v1::PsfCentre rule = v1::AUTO_CENTRE;
  Voxel given = {};       // the centre, with rule GIVEN
  double energy = 0.999;  // above 0, at most 1
  Shape3 image = {};      // extent of a frame
  v1::VoxelSize voxel;    // of the PSF, for what is said; 0 where not known
  bool periodic = false;
  PsfBackground background = PsfBackground::kNone;
  double background_level = 0;  // with kGiven
  PsfSteps steps = {};          // the image's voxels over the PSF's; usable
};

// Memory that reading and analysing a PSF takes at most, per voxel of the larger of both grids: the values 4, which of
// them are at the peak 1/8, and the peak's voxels, the sums over boxes, or the steps of resampling 8. Nothing is added
// by KeepUsed.
inline constexpr double kAnalysisBytesPerPsfVoxel = 12.125;

// What was found, and what the user should hear about it.
struct PsfAnalysis {
  v1::PsfReport report;
  std::vector<v1::Finding> findings;
};

// Decides how the PSF of channel `c` is prepared. `values` holds shape.voxels() values in z,y,x order; afterwards both
// are those from which the box is cut: without background, on the image's voxels. Findings: what is used, what was
// taken off, and what became of the voxels (INFO); the defects of worker/psf/check.h, negative values, voxels much
// coarser than the image's, and a PSF of which the image's limit cuts off more than `energy` allows or at least half
// along an axis (WARNING). Errors: BAD_PSF (NaN or infinity with count and first position, all zero, sum not positive,
// no light within reach of the centre); INVALID_FIELD (a given centre outside the PSF).
absl::StatusOr<PsfAnalysis> AnalysePsf(std::vector<float>& values, Shape3& shape, uint32_t c,
                                       const PsfOptions& options);
// The same of a PSF that is used as it is. REQUIRES: no background to take off, the image's voxels.
absl::StatusOr<PsfAnalysis> AnalysePsf(std::span<const float> values, const Shape3& shape, uint32_t c,
                                       const PsfOptions& options);

// A PSF of sum 1 with its origin, ready for Ops::MakeOtf.
struct PreparedPsf {
  std::vector<float> values;  // z,y,x order
  Shape3 shape;
  Voxel centre;  // inside `shape`
};

// The box of the given PSF of extent `shape` that has to be read to prepare it: the report's box without what sticks
// out; all of a PSF that is told at other voxels.
Box3 PsfBoxToRead(const v1::PsfReport& report, const Shape3& shape);

// The box of values that are used, of those that AnalysePsf leaves, without what sticks out of their extents `told`;
// and the origin among these.
Box3 UsedPsfBox(const v1::PsfReport& report, const Shape3& told);
Voxel PsfOriginOf(const v1::PsfReport& report);

// Applies the report to the voxels of `PsfBoxToRead`. Errors: BAD_PSF when their sum is not the report's (the volume is
// not the one that was analysed).
absl::StatusOr<PreparedPsf> PreparePsf(std::vector<float> read, const Shape3& shape, const v1::PsfReport& report);

// In place, from the values that AnalysePsf leaves, of extents `told`, to those of `UsedPsfBox` as PreparePsf makes
// them: none negative, of sum 1, without the zeros that stand in. There may be eight times as many of these as of the
// given voxels.
void KeepUsed(const Shape3& told, const v1::PsfReport& report, std::vector<float>& values);

// Name of a rule for people, for instance `geometric-low`.
const char* CentreName(v1::PsfCentre rule);

}  // namespace deconvoy::worker

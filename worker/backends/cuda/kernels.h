// The kernels: each starts in its place and returns a cudaError_t, that of the start. Compiled by nvcc for the device,
// and by the C++ compiler for the tests' emulation.
#pragma once

#include <array>
#include <cstdint>

#include "worker/backends/cuda/ends.h"
#include "worker/backends/cuda/fields.h"
#include "worker/backends/cuda/starts.h"

namespace deconvoy::worker::cuda {

// --- Planes of the grid (planes.cu) ---

// Neighbouring planes of the domain.
struct Planes {
  int64_t first;
  int64_t count;
};

// Writes whole planes, room for complex numbers included.
int RunStart(const LaunchPlace& place, const Start& start, const Grid& grid, const Planes& planes);

// The values of the grid in `box` become those of `output`, which covers it. `sums`: null, or room for kMostSums of the
// end's, to which is added.
int RunEnd(const LaunchPlace& place, const End& end, const Grid& grid, const Box3& box, const Field& output,
           void* sums);

// The same in place, for whole planes: for a RatioEnd, a ResidualEnd or a DataEnd.
int RunOnward(const LaunchPlace& place, const End& end, const Grid& grid, const Planes& planes, void* sums);

// The values of the grid where all three classes are not negative, into a table over them.
struct TableEnd {
  float* table;
  const int32_t *z, *y, *x;  // by position: the class that it stands for, or -1
  int64_t classes_y, classes_x;
};
int RunKeepWeights(const LaunchPlace& place, const TableEnd& end, const Grid& grid, const Planes& planes);

// --- Half spectra (spectra.cu) ---

// Columns [first, first + count) of the half spectrum, a column being all numbers with the same (ky, kx).
struct Columns {
  int64_t first;
  int64_t count;
};

// values *= otf, or its conjugate.
int RunMultiply(const LaunchPlace& place, const OtfField& otf, bool conjugate, const Grid& grid,
                const Columns& columns);
// otf = scale values, of which a real one keeps the real parts.
int RunKeepOtf(const LaunchPlace& place, float scale, const Grid& grid, const Columns& columns, const OtfField& otf);
// With h the numbers of `otf`, g those of `inverse`, N the domain's voxels:
//   x <- g (weight x + N conj h q),  q <- N h x
int RunSolve(const LaunchPlace& place, const OtfField& otf, const float* inverse, float weight, const Grid& x,
             const Grid& q, const Columns& columns);

// out = unit |otf| for n numbers.
int RunMagnitude(const LaunchPlace& place, const OtfField& otf, float unit, int64_t n, float* out);
// out = scale otf gain / (|unit otf|^2 + alpha + penalty) for n numbers; gain null: 1, penalty null: 0.
struct FilterNumbers {
  const float* gain;
  const float* penalty;
  float unit, alpha, scale;
};
int RunFilter(const LaunchPlace& place, const OtfField& otf, const FilterNumbers& filter, int64_t n,
              const OtfField& out);

// --- Arrays (arrays.cu) ---

int RunFill(const LaunchPlace& place, float value, int64_t n, float* out);
int RunScale(const LaunchPlace& place, float factor, int64_t n, float* values);
int RunClamp(const LaunchPlace& place, float floor, float ceiling, int64_t n, float* values);
// On `box`, which both cover.
int RunCopy(const LaunchPlace& place, const Field& from, const Box3& box, const Field& to);
// A CountRule of worker/ops/backend.h, of counts of one or two bytes on `box` in z,y,x order.
struct Counts {
  const void* counts;
  int32_t bytes;
  double offset, gain, dark, raise;
};
int RunCounts(const LaunchPlace& place, const Counts& counts, const Box3& box, const Field& to);
// a = alpha a + beta b on a's box.
int RunCombine(const LaunchPlace& place, const Field& a, float alpha, const Field& b, float beta);

// These leave SumsFor(the box's shape) sums.
int RunReduce(const LaunchPlace& place, const Field& array, const Box3& box, Extremes* sums);
int RunDot(const LaunchPlace& place, const Field& a, const Field& b, const Box3& box, Totals<1>* sums);
// Of m (y - background)^2 on y's box.
int RunSquares(const LaunchPlace& place, const Field& y, const Field& mask, float background, Totals<1>* sums);

// --- Results (results.cu), as in worker/ops/finishing.h ---

// A VoxelRule on a box of an array. Voxels of one or two bytes are integers, those of four floats.
struct VoxelsOf {
  Field array;
  Box3 box;
  int32_t bytes;
  double gain, offset;
};
// In z,y,x order.
int RunVoxels(const LaunchPlace& place, const VoxelsOf& of, void* voxels);

// These leave SumsFor(the shape that they visit) sums: that of the box or the core, or `blocks` of 8 x 8 voxels of
// planes of the core.
int RunCountVoxels(const LaunchPlace& place, const VoxelsOf& of, VoxelSums* sums);

// Voxels below `dark` near one of at least `bright`.
struct RingsOf {
  Field result;
  Box3 core;
  float dark, bright;
};
int RunRings(const LaunchPlace& place, const RingsOf& of, Totals<1>* sums);

// Voxels of flat blocks, and squared deviations in them of the image and of the result. Blocks have a column beside
// them.
struct FlatOf {
  Field result, image, mask;
  Box3 core;
  int64_t first_plane, every_planes;  // of the core
};
int RunFlat(const LaunchPlace& place, const FlatOf& of, const Shape3& blocks, Totals<3>* sums);

// Of r: voxels, sum, squares; then the pairs along x, y and z and their products.
struct ResidualOf {
  Field model, image, mask;
  Box3 core;
  float floor;
};
int RunResidual(const LaunchPlace& place, const ResidualOf& of, Totals<9>* sums);
// Voxels of faint structures, and their light in the image and in the model.
int RunFaint(const LaunchPlace& place, const ResidualOf& of, double background, double brightest, const Shape3& blocks,
             Totals<3>* sums);

// --- Neighbourhoods (neighbours.cu) ---

struct RoughnessOf {
  Extrapolated p;  // output covers its box
  std::array<float, 3> factors;
  bool periodic;
  float floor;
};
int RunTotalVariation(const LaunchPlace& place, const RoughnessOf& roughness, const Field& output);
int RunGood(const LaunchPlace& place, const RoughnessOf& roughness, const Field& output);

// Updates t = z + u of a PriorSplit by x; all cover the domain. Sums: primal, dual, size, and |K x|. One of them
// updates the value, the other the slopes.
struct SplitUpdate {
  const float* x;
  Shape3 domain;
  float relaxation, scale;
};
int RunUpdateValue(const LaunchPlace& place, const SplitUpdate& update, float* t, Totals<4>* sums);
struct SlopesUpdate {
  Stencil forth;
  std::array<float*, Stencil::kMostParts> t;
  float threshold;
};
int RunUpdateSlopes(const LaunchPlace& place, const SplitUpdate& update, const SlopesUpdate& slopes, Totals<4>* sums);

// output = v - factor `taken`; all cover the domain.
int RunSubtract(const LaunchPlace& place, const float* v, const TakenBack& taken, float factor, float* output);

// --- Wavelets (wavelets.cu) ---

// One scale of one axis, of the first numbers of each axis of an array: from `from` to `to`, which are apart and of the
// same strides. Lines are as WaveletShrinkage says.
struct WaveletPass {
  const float* from;
  float* to;
  Shape3 part;        // of the array, from its beginning
  Shape3 array;       // whose strides both have
  int32_t axis;       // 0, 1, 2: z, y, x; at least two numbers long
  int64_t start;      // where lines begin
  const float* taps;  // of the scaling filter: h at first_tap and on; null: Haar's
  int32_t first_tap;
  int32_t tap_count;  // at most the even part of the line's length; none further from 0 than half of it
};
int RunSplit(const LaunchPlace& place, const WaveletPass& pass);
int RunJoin(const LaunchPlace& place, const WaveletPass& pass);
// Draws everything outside the coarse box at the beginning towards 0; leaves the sums of the magnitudes.
int RunShrink(const LaunchPlace& place, const Field& array, const Shape3& coarse, float threshold, Totals<1>* sums);

}  // namespace deconvoy::worker::cuda

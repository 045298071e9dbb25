// The whole-volume operations that methods are written over.
//
// A `Backend` is a device. `Ops` are its operations on one *domain*: a padded box on which convolution is circular. All
// arrays are float32, live in the device's memory and cover a box of the domain; outside its box an array counts as
// zero. Transforms always normalise: convolving with a PSF of sum 1 keeps a constant. One virtual call per whole-volume
// operation costs nothing; voxel loops never cross this interface.
//
// Its unit is a convolution with a named prologue (what enters) and a named epilogue (what becomes of the value). The
// boxes of their arrays tell where the input is non-zero and where the output is needed, so that a backend can fuse
// passes and skip work. tests/contract holds every backend to the formulas stated here.
//
// Threads: a `Backend` may be shared; `Ops` and everything made by one belong to one thread at a time (they use as many
// threads inside as the backend was given). Errors: RESOURCE_EXHAUSTED with OUT_OF_MEMORY when memory does not
// suffice; INTERNAL with call and device when the device fails. A wrong argument is a bug and ends the process.
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "deconvoy/v1/volumes.pb.h"
#include "deconvoy/v1/workers.pb.h"
#include "proto/contract/geometry.h"

namespace deconvoy::worker {

// A float32 array in device memory that covers `box()` of its domain.
class Array {
 public:
  virtual ~Array() = default;
  virtual const Box3& box() const = 0;
};

// The transform of a PSF, or of a back projector, on a domain.
class Otf {
 public:
  virtual ~Otf() = default;
};

// The normalisation w = H* m of the measured voxels, in whatever form the backend finds cheapest.
class Weights {
 public:
  virtual ~Weights() = default;
};

// The transform of a field on a domain, which outlives the operation that leaves it.
class Spectrum {
 public:
  virtual ~Spectrum() = default;
};

// --- Prologues: the field p that enters the convolution. ---

// p = input.
struct Identity {
  const Array* input;
};

inline constexpr float kNoFloor = -std::numeric_limits<float>::infinity();
inline constexpr float kNoCeiling = std::numeric_limits<float>::infinity();

// p = max(x + alpha (x - x_previous), floor x), without the maximum where floor is kNoFloor. Both arrays cover the same
// box. With alpha 0, p = x, and x_previous is not read and may be null.
struct Extrapolate {
  const Array* x;
  const Array* x_previous;
  float alpha;
  float floor;
};

// p = scale (a - a_offset) (b - b_offset) on the box of a, which is that of b too.
struct Product {
  const Array* a;
  float a_offset;
  const Array* b;
  float b_offset;
  float scale;
};

// One-sided differences D towards the next voxel along each axis, times a factor per axis. At the end of a box they are
// 0, or those to its beginning where `periodic`.
struct Differences {
  std::array<float, 3> factors = {1, 1, 1};  // z, y, x
  bool periodic = false;
};

// --- Splittings, for the alternating direction method of multipliers. A field z that stands for K x and its scaled
// dual u are held together as t = z + u: with P the proximal step of what is asked of z, z = P(t) and u = t - P(t). An
// update takes v = K x to
//   t' = a v + (1 - a) z + u,  z' = P(t'),  u' = scale (t' - z'),   and t to z' + u',
// a being its `relaxation`. With P of the penalty rho, `scale` is rho over the next update's, whose P then gives the
// same z' of the new t.

// Sums of squares over an update, in double precision, whose order does not depend on the number of threads.
struct SplitNorms {
  double primal = 0;  // of v - z'
  double dual = 0;    // of z' - z
  double size = 0;    // of z'
};

// K of a splitting by differences, which go round the box: its parts at a voxel are
//   kFirst   the three one-sided differences z, y, x; K*K has the eigenvalues e = the sum over axes of
//            factor^2 (2 - 2 cos w)
//   kSecond  zz, yy, xx (next - 2 here + before, times factor^2) and zy, zx, yx (one-sided along both axes, times both
//            factors and the root of 2); K*K has the eigenvalues e^2
// and |.| of a voxel is the root of the sum of the squares of its parts.
enum class Slopes { kNone, kFirst, kSecond };

constexpr size_t PartsOf(Slopes slopes) {
  return slopes == Slopes::kNone ? 0 : slopes == Slopes::kFirst ? 3 : 6;
}

// The splittings of an estimate by what is known of it: z2 = x with P(t) = max(t, 0), and z3 = K x with
// P(t) = t max(1 - threshold/|t|, 0), voxel by voxel.
struct PriorSplit {
  Array* value = nullptr;            // t of z2; covers the domain, as all of these; null: only z3
  std::array<Array*, 6> parts = {};  // t of z3: as many as the slopes have, the others null
  Slopes slopes = Slopes::kNone;
  std::array<float, 3> factors = {1, 1, 1};  // z, y, x
  float threshold = 0;                       // >= 0
  float relaxation = 1;
};

// p = z2 - u2 + K*(z3 - u3). REQUIRES: a value.
struct SplitSum {
  const PriorSplit* split;
};

using Prologue = std::variant<Identity, Extrapolate, Product, SplitSum>;

// --- Epilogues: v is the value of the convolution at a voxel. ---

// output = max(v + offset, floor) on `box`, or where that is empty on output's box. `output` may be the prologue's
// input.
struct Store {
  Array* output;
  float offset = 0;
  float floor = kNoFloor;
  Box3 box = {};  // inside output's box

  const Box3& where() const { return box.empty() ? output->box() : box; }
};

// output = m (y + raise) / max(v + background + raise, floor) on y's box; m is 1 where `mask` is null.
// Without `raise` the quotient is 0 where y is 0. `output` covers y's box; null as the first half of `ConvolveThen`.
struct GuardedRatio {
  const Array* y;
  const Array* mask;
  float background;
  float floor;  // > 0
  Array* output;
  // If set: receives the sum over m of (v + b) - y + y ln(y / (v + b)), with v + b floored and 0 ln 0 = 0.
  double* i_divergence = nullptr;
  float raise = 0;  // >= 0
  // If set: receives the sum of m (y - background - v)^2, in double precision, whose order does not depend on the
  // number of threads.
  double* squares = nullptr;
};

// Inner products of an update's change g with the change before it; sums in double precision whose order does not
// depend on the number of threads.
struct ChangeProducts {
  double new_old = 0;  // <g, g_previous>
  double old_old = 0;  // <g_previous, g_previous>
};

// output = max(p f, floor) where w >= weight_floor, else p, on output's box; p is the given prologue at that voxel and
//   f = v / w                              where w >= full_weight
//   f = 1 + (v - w) / full_weight          else: the same direction, a shorter step
//   f = v / (w max(1 + strength penalty, least_denominator))    everywhere, where there is a penalty
// `output` may be the prologue's x or x_previous. `weights` null means w = 1 everywhere; then full_weight is at most 1.
struct MultiplyUpdate {
  Extrapolate p;
  const Weights* weights;
  float weight_floor;
  Array* output;
  float floor = kNoFloor;
  float full_weight = 0;
  const Array* penalty = nullptr;  // covers output's box and is none of the other arrays; then full_weight is 0
  float strength = 0;
  float least_denominator = 0;
  // If set, which `products` must be too: holds the change g_previous of the update before, and receives
  // g = output - p. It covers output's box and is none of the other arrays.
  Array* change = nullptr;
  ChangeProducts* products = nullptr;
};

// output = m (y - background - v) on y's box; m is 1 where `mask` is null. `output` covers y's box; null as the first
// half of `ConvolveThen`.
struct Residual {
  const Array* y;
  const Array* mask;
  float background;
  Array* output;
  // If set: receives the sum of the squares, m once.
  double* squares = nullptr;
};

// output = min(max(p + step v + scale addend + offset, floor), ceiling) on output's box; p is the given prologue there.
// `output` may be the prologue's x or x_previous.
struct AddUpdate {
  Extrapolate p;
  float step;
  Array* output;
  const Array* addend = nullptr;  // covers output's box; null: 0
  float scale = 0;
  float offset = 0;
  float floor = kNoFloor;
  float ceiling = kNoCeiling;
  // If set: receives the sum of the squares of step v + scale addend, in double precision, whose order does not depend
  // on the number of threads.
  double* squares = nullptr;
};

// output = v / w where w >= weight_floor, else `otherwise`, on output's box. `weights` null means w = 1 everywhere.
struct Divide {
  const Weights* weights;
  float weight_floor;
  float otherwise;
  Array* output;
};

// x = max(x (first + second) / 2, 0) on x's box, but where v < 0 it stays. Both others cover that box and may be the
// prologue's arrays.
struct ConsensusUpdate {
  const Array* first;
  const Array* second;
  Array* x;
};

enum class Noise { kPoisson, kGaussian };

// The update of the splitting z1 = H x by the data, at the measured voxels with m other than 0; m is 1 where `mask` is
// null. P(t) is the z at which rho/2 (z - t)^2 + f(z) is least, with s = z + background and f
//   kPoisson   s - y ln s over s >= 0, y below 0 being 0
//   kGaussian  (s - y)^2 / (2 variance)
// output = z1' - u1' there and v elsewhere, everywhere in the domain: where nothing was measured z1 is free and u1 is
// 0.
struct DataSplit {
  const Array* y;
  const Array* mask;
  float background;
  Noise noise;
  float variance;  // > 0; of kGaussian
  float rho;       // > 0
  float scale = 1;
  float relaxation = 1;
  bool fresh = false;  // u1 is 0 before, whatever t holds; then relaxation is 1
  Array* t;            // covers y's box
  Array* output;       // covers the domain; null in a SplitSolve
  // If set: receives the sums over those voxels.
  SplitNorms* norms = nullptr;
  // If set: receives the sum of f(v) over those voxels, of kPoisson the I-divergence as a GuardedRatio has it.
  double* objective = nullptr;
  float floor = 0;  // of v + background in the objective of kPoisson, where it must be > 0
  // If set: receives the sum of m (y - background - v)^2, as a GuardedRatio has it.
  double* squares = nullptr;
};

using Epilogue =
    std::variant<Store, GuardedRatio, MultiplyUpdate, Residual, AddUpdate, Divide, ConsensusUpdate, DataSplit>;

// One convolution: H p, or with `adjoint` H* p.
struct Convolution {
  const Otf* otf;
  bool adjoint;
  Prologue prologue;
  Epilogue epilogue;
};

// c^ = s h^ gain / (|h^|^2 + alpha + penalty), of the transform h^ of a PSF. `gain` and `penalty` are in the order of
// `Ops::ReadMagnitude`, the same at a frequency and at its negative; an empty gain is 1, an empty penalty 0.
// REQUIRES: a denominator above 0 everywhere.
struct SpectralFilter {
  std::span<const float> gain = {};
  std::span<const float> penalty = {};
  float alpha = 0;
  // s is such that c^ is 1 at zero frequency, where h^ and gain must be positive; else s is 1.
  bool keeps_constants = true;
};

// What a roughness does to the estimate: the derivative R' of
//   kTotalVariation  R = sum of |Dx|,          R' = D* (Dx / max(|Dx|, floor))
//   kGood            R = 4 sum of |Du|^2,      R' = 4 D*D u / u,   u = sqrt(max(x, floor))
enum class Roughness { kTotalVariation, kGood };

// Orthonormal wavelets: Haar's, and those of Battle and Lemarie from splines of degree 1, 3 and 5.
enum class Wavelet { kHaar, kSpline1, kSpline3, kSpline5 };

// A shrinkage of wavelet coefficients: W* S W, W the separable transform of the whole box over `scales` scales, on a
// circle, S drawing every coefficient but the coarse ones towards 0 by `threshold`, at most to 0.
//
// Along each axis, from voxel `start` of the box on and round its end, a line of even length m is split into m/2 coarse
// and m/2 fine numbers; of odd length, its last number is kept as a coarse one. The next scale splits the coarse ones.
struct WaveletShrinkage {
  Wavelet wavelet = Wavelet::kHaar;
  int scales = 3;  // >= 1; a line of one number is not split
  float threshold = 0;
  Voxel start = {};  // inside the box's shape
};

// x = G (H* q + weight r), the least-squares estimate from all splittings, whose H x then updates that of the data.
struct SplitSolve {
  const Otf* otf;      // H
  const Otf* inverse;  // G, real: 1 / (|h^|^2 + weight (1 + the eigenvalues of K*K)) where r is a SplitSum
  Spectrum* q;         // transform of z1 - u1 over the whole domain, before and after
  Prologue r;
  float weight = 1;  // of the penalty of the other splittings over that of the data's
  Store x;           // its output covers the domain and may be what r reads
  DataSplit data;    // without output
};

// What an update of splittings by the prior came across.
struct PriorUpdate {
  SplitNorms norms;
  double roughness = 0;  // sum of |K x|
};

// Sums in double precision.
struct Reduction {
  double sum = 0;
  float minimum = 0;
  float maximum = 0;
  int64_t not_finite = 0;  // NaN or infinity; those are left out of the others
};

// Host memory that a device copies to and from by itself while the host goes on; page-locked where the device asks for
// that. It may outlive what made it.
class Staging {
 public:
  virtual ~Staging() = default;  // waits for the copy that uses it
  // Its bytes, aligned for floats, once no copy uses them any more. Errors are those of that copy.
  virtual absl::StatusOr<std::span<std::byte>> Bytes() = 0;
};

// How counts become values: with p = (count - offset) gain - dark as float32, the value is max(p + raise, 0). Both are
// computed in double precision and rounded once.
struct CountRule {
  double offset = 0;
  double gain = 1;
  double dark = 0;
  double raise = 0;
};

class Finishing;  // worker/ops/finishing.h

// The operations on one domain.
class Ops {
 public:
  virtual ~Ops() = default;

  virtual const Shape3& domain() const = 0;

  // A zero-filled array over `box`. REQUIRES: box inside the domain, not empty.
  virtual absl::StatusOr<std::unique_ptr<Array>> Allocate(const Box3& box) = 0;

  // The OTF of a PSF whose voxel `centre` is the origin; it wraps around where it is larger than the domain.
  // `psf` holds shape.voxels() values in z,y,x order.
  virtual absl::StatusOr<std::unique_ptr<Otf>> MakeOtf(std::span<const float> psf, const Shape3& shape,
                                                       const Voxel& centre) = 0;

  // The absolute values of h^, the transform of the PSF whose OTF this is, in the order kz, ky, kx of the half
  // spectrum: kz and ky in [0, n) of the domain, kx in [0, x/2]. REQUIRES: room for z * y * (x/2 + 1) values.
  virtual absl::Status ReadMagnitude(const Otf& otf, std::span<float> magnitude) = 0;

  // The OTF c^ of the filter; its adjoint has conj h^ in place of h^.
  virtual absl::StatusOr<std::unique_ptr<Otf>> FilterOtf(const Otf& otf, const SpectralFilter& filter) = 0;

  // The OTF whose values are given, real ones in the order of `ReadMagnitude`, the same at a frequency and its
  // negative.
  virtual absl::StatusOr<std::unique_ptr<Otf>> MakeRealOtf(std::span<const float> values) = 0;

  // w = H* m, where m is `mask` on `measured` (1 there where `mask` is null) and 0 outside.
  // REQUIRES: `measured` inside the domain, `mask` covers it.
  virtual absl::StatusOr<std::unique_ptr<Weights>> MakeWeights(const Otf& otf, const Box3& measured,
                                                               const Array* mask) = 0;

  virtual absl::Status Fill(Array& array, float value) = 0;
  // REQUIRES: box inside the boxes of both arrays.
  virtual absl::Status Copy(const Array& source, const Box3& box, Array& target) = 0;
  // Between host memory holding `box` in z,y,x order and the device. REQUIRES: box inside the array's box.
  virtual absl::Status Upload(std::span<const float> host, const Box3& box, Array& array) = 0;
  virtual absl::Status Download(const Array& array, const Box3& box, std::span<float> host) = 0;

  // Uploading without waiting for the copy: operations that follow see what was loaded. What is given here
  // (worker/ops/staging.cc) waits; a device that copies by itself overrides both.
  virtual absl::StatusOr<std::unique_ptr<Staging>> Stage(int64_t bytes);
  // array = the values of the counts of `type`, U8 or U16, that lie at the beginning of `from` in z,y,x order.
  // REQUIRES: box inside the array's box, room for it in `from`.
  virtual absl::Status Load(Staging& from, v1::VoxelType type, const CountRule& rule, const Box3& box, Array& array);

  // What brings results out of a device's own memory; null where arrays lie in the host's, which then does it on its
  // threads. Lives as long as the operations.
  virtual Finishing* finishing() { return nullptr; }

  // REQUIRES: an epilogue with an output.
  virtual absl::Status Convolve(const Convolution& step) = 0;

  // `first`, then `second` on the output of first's epilogue, which is never stored as a whole: first's epilogue
  // is a GuardedRatio or a Residual without output, and second's prologue is `Identity{nullptr}`.
  virtual absl::Status ConvolveThen(const Convolution& first, const Convolution& second) = 0;

  // Over `box`. REQUIRES: box inside the array's box.
  virtual absl::StatusOr<Reduction> Reduce(const Array& array, const Box3& box) = 0;

  // output = R' of p on p's box, which output covers exactly. REQUIRES: floor > 0.
  virtual absl::Status DeriveRoughness(Roughness kind, const Extrapolate& p, const Differences& differences,
                                       float floor, Array& output) = 0;

  // array = W* S W array. Returns the sum of the absolute values of what S leaves of the fine coefficients.
  virtual absl::StatusOr<double> ShrinkWavelets(const WaveletShrinkage& shrinkage, Array& array) = 0;

  // The sum of a b over `box`, in double precision. REQUIRES: box inside both arrays' boxes.
  virtual absl::StatusOr<double> Dot(const Array& a, const Array& b, const Box3& box) = 0;

  // The sum of m (y - background)^2 over y's box, in double precision; m is 1 where `mask` is null. REQUIRES: the mask
  // covers y's box.
  virtual absl::StatusOr<double> SumSquares(const Array& y, const Array* mask, float background) = 0;

  // The transform of a field, zero outside its box.
  virtual absl::StatusOr<std::unique_ptr<Spectrum>> Transform(const Array& field) = 0;

  // Four transforms.
  virtual absl::Status SolveSplit(const SplitSolve& step) = 0;

  // Updates the splittings by x. REQUIRES: all arrays cover the domain.
  virtual absl::StatusOr<PriorUpdate> UpdateSplit(const Array& x, const PriorSplit& split, float scale) = 0;

  // output = v - factor K* u3. REQUIRES: all arrays cover the domain; output is none of the others.
  virtual absl::Status SubtractDual(const Array& v, const PriorSplit& split, float factor, Array& output) = 0;

  // a = alpha a + beta b on a's box. REQUIRES: b's box contains it.
  virtual absl::Status Combine(Array& a, float alpha, const Array& b, float beta) = 0;

  // array = min(max(array, floor), ceiling)
  virtual absl::Status Clamp(Array& array, float floor, float ceiling) = 0;

  // Whole-volume transforms (forward and inverse) done so far.
  virtual int64_t transforms() const = 0;
};

// A device.
class Backend {
 public:
  virtual ~Backend() = default;

  virtual std::string name() const = 0;    // `cpu`, `cuda`
  virtual std::string device() const = 0;  // for people
  virtual int threads() const = 0;
  // What transforms cost on it; empty where that was not measured.
  virtual v1::FftCosts fft_costs() const { return {}; }
  // The device beside the processors that it computes on; none: it computes on these.
  virtual std::optional<v1::Accelerator> accelerator() const { return std::nullopt; }

  // Operations on `domain`. Plans are kept, so that the next call for the same domain is cheap.
  virtual absl::StatusOr<std::unique_ptr<Ops>> Open(const Shape3& domain) = 0;

  // The same device as two, for two threads that use it at the same time: each has half of its memory, and finds that
  // as it would alone. What one of them holds this one lacks, and the other way round. None where nothing is gained by
  // that, as on processors, and of a half. They may outlive what made them.
  virtual std::vector<std::unique_ptr<Backend>> MakeHalves() { return {}; }
};

}  // namespace deconvoy::worker

// Networks that restore images, and models: networks with their weights.
//
// A network takes a box of one frame and yields as large a box. What reaches a voxel of the result comes from no
// farther than the *halo*; nearer than that to a face of the box, what the network takes to lie beyond the face counts,
// too. So boxes that are cut from one frame with their halo, from origins on multiples of the *step*, agree in their
// cores.
//
// Normalisation. A network sees u = (y - offset) / range and its result r means r range: light above the background, in
// the unit of y. A job decides on one `Scale` for all of its boxes; networks that denoise need none.
//
// Heads. Plain: one value per voxel. Probabilistic: location and scale of a Laplace distribution per voxel.
//
// This header needs no LibTorch; a build without it knows the same networks and refuses to load a model.
//
// Threads: a Model may be used by one thread at a time, and computes on as many as `SetThreads` said.
#pragma once

#include <absl/status/statusor.h>

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "proto/contract/geometry.h"
#include "proto/contract/model_spec.h"
#include "worker/psf/prepare.h"

namespace deconvoy::worker::learned {

enum class Head { kPlain, kProbabilistic };
enum class Purpose { kRestore, kDenoise };

// What is known of a network before it has weights.
struct NetworkKind {
  std::string_view name;       // as jobs name it
  std::string_view structure;  // one line
  std::string_view citation;
  int64_t parameters = 0;  // with the plain head
  Purpose purpose = Purpose::kRestore;
  int64_t step = 1;  // boxes are computed on extents that are multiples of it
  // Voxels on each side, along every axis; of the networks that know the PSF, beside what its box adds (`Model::halo`).
  int64_t halo = 0;
  // Memory of one pass without gradients, at most, per voxel of a box of a million voxels; smaller ones take up to
  // kSmallBoxBytes more. And of a step of training, per voxel of the batch.
  double bytes_per_voxel = 0;
  double training_bytes_per_voxel = 0;
  bool knows_psf = false;   // its model has the PSF inside, and is of no use with another
  bool plain_only = false;  // has no probabilistic head
  // Works in two dimensions on slices that contain the axis; the means of xz and yz slices are its result.
  bool axial_slices = false;
};

// All there are, in the order in which they are listed.
std::span<const NetworkKind> AllNetworks();
const NetworkKind* FindNetwork(std::string_view name);  // or null

// What computes networks in this build.
struct Runtime {
  std::string version = {};               // of LibTorch, for instance `1.13`; empty where there is none
  std::string reason = {};                // why there is none; empty where there is one
  std::vector<std::string> devices = {};  // "cpu", and "cuda" where it can be used

  bool available() const { return reason.empty(); }
};
const Runtime& TheRuntime();
// Threads of all networks in this process, >= 1; no effect without LibTorch.
void SetThreads(int threads);

// How a job's boxes are normalised.
struct Scale {
  float offset = 0;
  float range = 1;  // > 0
};
// The shares of a frame's voxels, in per cent, below its offset and below offset and range.
struct Percentiles {
  double low = 1;
  double high = 99.9;

  friend bool operator==(const Percentiles&, const Percentiles&) = default;
};
// Those of the values; the range is at least `kLeastRange`, so that a blank frame has a scale. Values that are not
// finite do not count; where none is, as of a frame of zeros.
inline constexpr float kLeastRange = 1e-3F;
Scale ScaleOf(std::span<const float> frame, const Percentiles& percentiles);

// What a model is, beside its weights. Texts are what its file says; a model may come from anywhere.
struct ModelFacts {
  std::string network = {};
  Head head = Head::kPlain;
  std::string psf_digest = {};        // see PsfDigest; empty where none is known
  std::vector<double> voxel_um = {};  // z, y, x; empty where not known
  Percentiles percentiles = {};       // that it was trained with
  std::string recipe = {};            // JSON: how it was trained; empty where not known
  std::string evidence = {};          // JSON: what its training has found; empty where not known
  std::string descriptor = {};        // of a model that is a program: what is used of its descriptor, JSON; else empty
};
// SHA-256 of extents, centre and values of a prepared PSF, in hexadecimal.
std::string PsfDigest(const PreparedPsf& psf);

// Whether what is under way should end, with CANCELLED.
using Stop = std::function<bool()>;

struct Estimate {
  std::vector<float> value;   // in z,y,x order
  std::vector<float> spread;  // standard deviation of each; empty where none is told
};

class Model {
 public:
  virtual ~Model() = default;

  virtual const ModelFacts& facts() const = 0;
  virtual const NetworkKind& kind() const = 0;
  // Voxels on each side that count, z, y, x: rounded up to the step.
  virtual Shape3 halo() const = 0;
  // Memory of Apply on a box, in bytes, without the caller's own values.
  virtual int64_t MemoryBytes(const Shape3& box) const = 0;
  // `values` are the box's, in z,y,x order. Beyond the faces the box counts as reflected as far as its extents must be
  // rounded up, and as empty farther out. Of a network that denoises, `noise` is the standard deviation of the noise
  // in the unit of the values; others do not look at it. Errors: INVALID_FIELD (an empty box, or a number of values
  // that is not the box's), OUT_OF_MEMORY, BAD_OUTPUT (not finite).
  virtual absl::StatusOr<Estimate> Apply(std::span<const float> values, const Shape3& box, const Scale& scale,
                                         float noise = 0) const = 0;
  // Asked from now on while Apply computes, where it can end early. Must be good to call until it is set anew.
  virtual void StopWhen(Stop /*stop*/) {}
};

// `file` has the form of worker/learned/container.h and need not outlive the call; `device` is one of the runtime's.
// Errors: INVALID_FIELD (a file that is broken, or does not fit its network: which tensor, and what was expected; a
// device that is not there; no LibTorch, with the reason), OUT_OF_MEMORY.
absl::StatusOr<std::unique_ptr<Model>> LoadModel(std::span<const std::byte> file, std::string_view device = "cpu");

// A whole frame of extents `shape`, in boxes with cores of at most `core`, rounded to the model's step, each with its
// halo; beyond the frame's faces the frame counts as reflected. Does not depend on `core` but for rounding. With
// several models value and spread are those of the mixture: the mean, and the root of the models' mean variance and of
// the variance of their values. `noise` as that of Apply. REQUIRES: at least one model. Errors: those of Model::Apply.
absl::StatusOr<Estimate> ApplyToFrame(std::span<const Model* const> models, std::span<const float> frame,
                                      const Shape3& shape, const Scale& scale, const Shape3& core, float noise = 0);

}  // namespace deconvoy::worker::learned

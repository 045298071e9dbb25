// Training: from a recipe to a model with its curves and its quality on specimens that it never saw.
//
// Examples are pairs of an input and a target of the extents of `patch`. Where a recipe gives no images, specimens are
// drawn, blurred with the recipe's PSF and exposed: number k of a seed is the same whenever it is drawn. They are drawn
// larger than the patch, so that light comes in from outside, and a classical method sees beyond it.
//
//   source         input                              target, the network's result on it being r
//   kTruth         image                              the specimen
//   kMethod        image                              what a classical method makes of it
//   kDenoise       specimen with Gaussian noise       the specimen
//   kPairs         first of a given pair              second
//   kBlindSpot     image, some voxels hidden          H r = the image at the hidden voxels (Kobayashi et al. 2020)
//   kDegradation   image blurred once more            the image (Martins et al. 2024)
//
// For networks on axial slices kDegradation is worker/learned/axial_degradation.h: the blur is that which axial slices
// have and lateral ones have not, and the slices of a patch are lateral ones.
//
// With kBlindSpot and kDegradation the images are given ones, or drawn ones whose truth is not looked at.
//
// The loss is the mean squared error of normalised values over the mean square of the target, with kDenoise and
// kBlindSpot the mean squared error alone, of slices that are degraded the negative peak signal-to-noise ratio, 10
// log10 of that error of each patch, as published; with a probabilistic head, the Laplace distribution's negative
// logarithm. Adam (Kingma and Ba 2015), with gradients of norm 1 at most, and a learning rate that falls along a cosine
// to a hundredth.
//
// A training is cut into parts. After each the loss over the validation examples is found, which are of the same kinds,
// and the weights with the least are kept. All that the next part needs is the state that a part ends with: the same
// recipe, parts, number of threads and machine give the same model, wherever each part was computed.
//
// Needs no LibTorch to include; without it every call says so.
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "deconvoy/v1/jobs.pb.h"
#include "proto/contract/geometry.h"
#include "worker/learned/network.h"
#include "worker/learned/patch_statistics.h"
#include "worker/ops/backend.h"
#include "worker/psf/prepare.h"

namespace deconvoy::worker::learned {

enum class Source { kTruth, kMethod, kDenoise, kPairs, kBlindSpot, kDegradation };

// As recipes and people write them: `truth`, `method`, `denoise`, `pairs`, `blind-spot`, `degradation`.
std::string_view NameOf(Source source);

// One image, or one pair, in photons.
struct GivenImage {
  Shape3 shape;
  std::vector<float> image;   // in z,y,x order
  std::vector<float> target;  // of the same extents with kPairs, else empty
};

inline constexpr size_t kMostToldImages = 64;  // by ToJson, so that the text stays short

// Every field counts; ranges are inclusive.
struct Recipe {
  std::string network = "rln";
  Head head = Head::kPlain;
  Source source = Source::kTruth;
  std::string method = {};  // with kMethod: any but those that join channels or estimate the PSF
  std::map<std::string, std::string> method_parameters = {};

  PreparedPsf psf = {};               // may be empty with kDenoise and kPairs, unless the network knows it
  std::vector<double> voxel_um = {};  // z, y, x, of image and PSF; empty where not known
  std::vector<v1::SpecimenKind> kinds = {v1::MIXED};
  std::vector<v1::SpecimenKind> held_out = {v1::NUCLEI};    // for the quality alone; MIXED goes without them
  double peak_photons_low = 100, peak_photons_high = 1000;  // of the brightest voxel, drawn on a logarithmic scale
  double background = 10;                                   // photons
  double read_noise = 0;                                    // photons, standard deviation
  double noise_low = 0.01, noise_high = 0.2;                // kDenoise: deviation over the specimen's brightest voxel
  std::vector<GivenImage> images = {};

  Shape3 patch = {64, 64, 64};  // multiples of the network's step
  int64_t batch = 1;            // patches in a step
  int64_t specimens = 64;       // examples, each of which is met several times
  int64_t validation = 4;       // examples
  int64_t steps = 1000;
  double learning_rate = 2e-3;
  int64_t parts = 20;    // that the steps are cut into, after each of which the best weights are kept
  int64_t patience = 0;  // parts without a better figure after which it ends; 0: all steps are done
  uint64_t seed = 1;
  std::string device = "cpu";  // one of the runtime's
};

// Errors: INVALID_FIELD with the recipe's field: a network, method or device that is not there, a patch that does not
// fit, a source without what it needs, numbers out of range.
absl::Status CheckRecipe(const Recipe& recipe);

// Whether it is lateral slices that it degrades, as worker/learned/axial_degradation.h has it.
bool DegradesSlices(const Recipe& recipe);

// The least extents of an image that all slices of a patch can be taken from. REQUIRES: DegradesSlices.
Shape3 LeastImage(const Recipe& recipe);

// Which specimens, noise and settings, as JSON, for the model's file; the PSF by its digest, images and truths by the
// SHA-256 of their values, the first kMostToldImages of them.
std::string ToJson(const Recipe& recipe);

// Of one kind of specimen, the mean over the specimens that were drawn for it: root of the mean squared error over that
// of the truth's values, and coefficient of correlation, of the image without its background, of 20 iterations of plain
// rl (0 of a denoiser), and of the model.
struct Quality {
  v1::SpecimenKind kind = v1::MIXED;
  bool held_out = false;
  double raw_nrmse = 0, raw_ncc = 0;
  double rl_nrmse = 0, rl_ncc = 0;
  double nrmse = 0, ncc = 0;
};

// Loss by step: of the training examples the mean since the value before, and of the validation.
struct CurvePoint {
  int64_t step = 0;
  double training = 0;
  double validation = 0;
};

// Listens to a training. Called from the thread that trains.
class TrainingObserver {
 public:
  virtual ~TrainingObserver() = default;
  // After every step, or every specimen that is judged, of how many. An error (CANCELLED) ends the training with it.
  virtual absl::Status Stepped(int64_t step, int64_t steps) = 0;
  // Asked again and again while examples are made and looked at, which may take long. An error ends the training, too.
  virtual absl::Status GoOn() { return absl::OkStatus(); }
};

// What a part came to.
struct TrainedPart {
  std::string state;      // for the next part, or the end
  CurvePoint point;       // at its end
  int64_t best_step = 0;  // so far
  bool ended = false;     // by the recipe's patience, or because all steps are done
};

// Goes on to step `last_step` (at most the recipe's `steps`) from `state`, which is empty at the start or of the same
// recipe. `backend` blurs and runs the classical methods. Errors: those of CheckRecipe, the observer, the methods and
// the backend; INVALID_FIELD for the state of another recipe or one that is broken; BAD_OUTPUT where the loss is no
// number any more.
absl::StatusOr<TrainedPart> TrainPart(const Recipe& recipe, std::span<const std::byte> state, int64_t last_step,
                                      Backend& backend, TrainingObserver& observer);

struct TrainedModel {
  std::string file;  // for LoadModel, with the best weights
  std::vector<CurvePoint> curve;
  int64_t best_step = 0;
  // Of the kinds that were trained on, then of those held out; empty where nothing was drawn whose truth is known, and
  // of a network that denoises.
  std::vector<Quality> quality;
  PatchStatistics patches;  // of the inputs of the training; threshold 0 where they were smaller than a patch
};

// The model of a state, and how good it is on `specimens` of each kind that it has not seen. Errors: as TrainPart.
absl::StatusOr<TrainedModel> FinishTraining(const Recipe& recipe, std::span<const std::byte> state, int64_t specimens,
                                            Backend& backend, TrainingObserver& observer);

}  // namespace deconvoy::worker::learned

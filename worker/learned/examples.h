// What training and judging look at: patches with what should become of them.
#pragma once

#include <absl/status/statusor.h>

#include <cstdint>
#include <map>
#include <vector>

#include "worker/imaging/random.h"
#include "worker/learned/axial_degradation.h"
#include "worker/learned/training.h"
#include "worker/methods/registry.h"

namespace deconvoy::worker::learned {

// Both of the recipe's patch extents, in photons, in z,y,x order. Where the recipe degrades slices
// (worker/learned/axial_degradation.h) every xz slice is one of them, and neighbours have nothing to do with each
// other.
struct Example {
  std::vector<float> input;
  std::vector<float> target;
  Scale scale;      // of the image that the input was cut from
  float noise = 0;  // standard deviation, of a denoiser
};

// A specimen, its image, and what of it is compared.
struct Scene {
  Shape3 shape;              // of both, larger than the patch by the PSF
  std::vector<float> truth;  // photons before blur
  std::vector<float> image;  // with background and noise
  Box3 inner;                // of the patch's extents, free from what lies beyond the image
};

// A scene by a method, from Scene::image. `observer` (null: nobody) is asked after every iteration. Errors: those of
// the observer, the method and the backend.
absl::StatusOr<std::vector<float>> RunMethod(const Scene& scene, const Recipe& recipe, const Method& method,
                                             const Parameters& parameters, Backend& backend,
                                             TrainingObserver* observer = nullptr);

// The values of `box`, in z,y,x order. REQUIRES: a box inside the shape.
std::vector<float> Cut(const std::vector<float>& values, const Shape3& shape, const Box3& box);

// Draws examples and keeps those of the training. Used by one thread.
class Examples {
 public:
  // All must outlive it; `observer` (null: nobody) is asked before every example and while methods run. REQUIRES:
  // CheckRecipe is OK.
  Examples(const Recipe& recipe, Backend& backend, TrainingObserver* observer = nullptr)
      : recipe_(recipe), backend_(backend), observer_(observer) {}

  // Number in [0, recipe.specimens). Valid as long as this. Errors: those of the observer, the methods and the backend;
  // BAD_PSF for a PSF without light in reach.
  absl::StatusOr<const Example*> Training(int64_t number);
  // Number in [0, recipe.validation).
  absl::StatusOr<const Example*> Validation(int64_t number);
  // Of any number, also below 0; never one of those above.
  absl::StatusOr<Scene> HeldBack(v1::SpecimenKind kind, int64_t number);
  // The same for a denoiser: a specimen with noise.
  absl::StatusOr<Example> HeldBackNoisy(v1::SpecimenKind kind, int64_t number);

 private:
  enum class Purpose : uint64_t { kTraining = 21, kValidation, kHeldBack };

  uint64_t SeedOfHeldBack(v1::SpecimenKind kind, int64_t number) const;
  absl::StatusOr<const Example*> Kept(std::map<int64_t, Example>& kept, Purpose purpose, int64_t number);
  absl::StatusOr<Example> Make(Purpose purpose, int64_t number);
  absl::StatusOr<Example> FromGiven(uint64_t seed, int64_t number);
  absl::StatusOr<Example> FromScene(uint64_t seed, v1::SpecimenKind kind);
  // Of lateral slices in `region` of an image of extents `shape`.
  absl::StatusOr<Example> FromSlices(uint64_t seed, const std::vector<float>& image, const Shape3& shape,
                                     const Box3& region);
  // Draws the slices of some rows of an example. REQUIRES: at least one.
  absl::Status AddSlices(LateralAxis degraded, const std::vector<int64_t>& rows, const std::vector<float>& image,
                         const Shape3& shape, const Box3& region, Random& random, Example& example);
  absl::StatusOr<const PreparedPsf*> FurtherBlurAlong(LateralAxis degraded);
  Example Noisy(uint64_t seed, v1::SpecimenKind kind) const;
  // Whose inner box has the extents `inner`.
  absl::StatusOr<Scene> Draw(uint64_t seed, v1::SpecimenKind kind, const Shape3& inner);
  // A place of extents `drawn` in a frame that is as large or larger, with something in its middle, of extents
  // `inner`, where a few attempts find one.
  std::vector<float> Specimen(uint64_t seed, v1::SpecimenKind kind, const Shape3& drawn, const Shape3& inner) const;
  // The convolution of what lies in a box, which counts as empty outside, on as large a box.
  absl::StatusOr<std::vector<float>> Blurred(const std::vector<float>& values, const Shape3& shape,
                                             const PreparedPsf& psf);
  // H of a given image, divided by H of 1: what lies beyond its faces is as bright as what lies within.
  absl::StatusOr<const std::vector<float>*> BlurredImage(size_t index);

  const Recipe& recipe_;
  Backend& backend_;
  TrainingObserver* const observer_;
  std::map<int64_t, Example> training_, validation_;
  std::map<size_t, std::vector<float>> blurred_images_;
  std::map<LateralAxis, PreparedPsf> further_blurs_;
};

}  // namespace deconvoy::worker::learned

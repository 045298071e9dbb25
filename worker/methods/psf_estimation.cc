#include "worker/methods/psf_estimation.h"

#include <algorithm>
#include <memory>
#include <numeric>
#include <optional>
#include <utility>
#include <vector>

#include "proto/contract/error.h"
#include "proto/contract/status_macros.h"
#include "worker/methods/curve.h"
#include "worker/methods/pupil_fit.h"
#include "worker/methods/rl_iteration.h"

namespace deconvoy::worker {
namespace {

constexpr float kLeastLight = 1e-6F;  // of x over a voxel of h, relative to the most: below it nothing is known of h

size_t IndexOf(const Shape3& shape, const Voxel& at) {
  return static_cast<size_t>((at.z * shape.y + at.y) * shape.x + at.x);
}

// Calls visit(here, partner) for every voxel: its index and that of its mirror image along `axis` about the centre;
// without a partner where that lies outside the box.
template <typename Visit>
void ForEachPair(const PreparedPsf& psf, int axis, const Visit& visit) {
  const Shape3& s = psf.shape;
  const Box3 whole{{}, s};
  size_t here = 0;
  for (int64_t z = 0; z < s.z; ++z) {
    for (int64_t y = 0; y < s.y; ++y) {
      for (int64_t x = 0; x < s.x; ++x, ++here) {
        const Voxel partner{axis == 0 ? 2 * psf.centre.z - z : z, axis == 1 ? 2 * psf.centre.y - y : y,
                            axis == 2 ? 2 * psf.centre.x - x : x};
        const bool inside = whole.Contains({partner, {1, 1, 1}});
        visit(here, inside ? std::optional(IndexOf(s, partner)) : std::nullopt);
      }
    }
  }
}

std::vector<int> AxesOf(const PsfSymmetry& symmetry) {
  std::vector<int> axes;
  if (symmetry.axial) axes.push_back(0);
  if (symmetry.lateral) axes.insert(axes.end(), {1, 2});
  return axes;
}

// Takes the light off the support.
void Restrict(const PsfEstimationOptions& options, PreparedPsf& psf) {
  const float least = static_cast<float>(options.support) * *std::max_element(psf.values.begin(), psf.values.end());
  for (float& value : psf.values) value = value > least ? value : 0;
  for (const int axis : AxesOf(options.symmetry)) {
    const std::vector<float> before = psf.values;
    ForEachPair(psf, axis, [&](size_t here, std::optional<size_t> partner) {
      if (!partner || before[*partner] == 0) psf.values[here] = 0;
    });
  }
}

// REQUIRES: every voxel of the support has a partner.
void Symmetrise(const PsfSymmetry& symmetry, PreparedPsf& psf) {
  for (const int axis : AxesOf(symmetry)) {
    const std::vector<float> before = psf.values;
    ForEachPair(psf, axis, [&](size_t here, std::optional<size_t> partner) {
      if (partner) psf.values[here] = (before[here] + before[*partner]) / 2;
    });
  }
}

absl::Status Normalise(PreparedPsf& psf) {
  const double sum = std::accumulate(psf.values.begin(), psf.values.end(), 0.0);
  if (!(sum > 0)) {
    return MakeError({.reason = v1::BAD_PSF,
                      .field = "deconvolve.psf_volume",
                      .remedy = "Give a PSF nearer to the microscope's, or a method that takes it as it is."},
                     "nothing is left of the PSF that is estimated from the image");
  }
  for (float& value : psf.values) value = static_cast<float>(value / sum);
  return absl::OkStatus();
}

class Estimation {
 public:
  Estimation(const Problem& problem, PreparedPsf guess, const PsfEstimationOptions& options, Monitor& monitor)
      : problem_(problem), ops_(*problem.ops), options_(options), monitor_(monitor), psf_(std::move(guess)) {
    if (!options.pupil_modes.empty()) pupil_.emplace(*problem.optics, psf_.shape, options.pupil_modes);
  }

  absl::Status Begin() {
    ASSIGN_OR_RETURN(rounds_, Curve::Every(1, options_.rounds, problem_));
    if (pupil_) {
      psf_.values = pupil_->PsfNow();
    } else {
      Restrict(options_, psf_);
      Symmetrise(options_.symmetry, psf_);
      RETURN_IF_ERROR(Normalise(psf_));
    }
    ASSIGN_OR_RETURN(x_, ops_.Allocate({{}, ops_.domain()}));
    RETURN_IF_ERROR(ops_.Fill(*x_, problem_.mean));
    return RenewOtf();
  }

  absl::Status Round() {
    RETURN_IF_ERROR(ImageSteps());
    ASSIGN_OR_RETURN(const std::unique_ptr<Otf> image, ImageOtf());
    ASSIGN_OR_RETURN(const std::vector<float> light, LightOf(*image));
    ASSIGN_OR_RETURN(const std::unique_ptr<Array> back, ops_.Allocate({{}, psf_.shape}));
    for (int64_t step = 1; step <= options_.psf_steps; ++step) {
      Measures measures;
      const bool last = step == options_.psf_steps;
      RETURN_IF_ERROR(PsfStep(*image, light, *back, last ? &measures : nullptr));
      RETURN_IF_ERROR(Tell(*x_, last ? rounds_.After(++round_, measures) : std::nullopt));
    }
    return absl::OkStatus();
  }

  EstimatedPsf Take() { return {.psf = std::move(psf_), .pupil = pupil_ ? pupil_->modes() : std::vector<PupilMode>{}}; }

 private:
  // Tells the steps in x as steps of the whole.
  class ImageMonitor final : public Monitor {
   public:
    explicit ImageMonitor(Estimation& run) : run_(run) {}
    absl::Status Iterated(const Iteration& iteration) override { return run_.Tell(iteration.estimate, std::nullopt); }

   private:
    Estimation& run_;
  };

  absl::Status Tell(const Array& x, const std::optional<v1::ObjectiveValue>& objective) {
    return monitor_.Iterated({++done_, options_.rounds * (options_.image_steps + options_.psf_steps), x, objective});
  }

  absl::Status RenewOtf() {
    otf_.reset();
    ASSIGN_OR_RETURN(otf_, ops_.MakeOtf(psf_.values, psf_.shape, psf_.centre));
    problem_.otf = otf_.get();
    return absl::OkStatus();
  }

  absl::Status ImageSteps() {
    ImageMonitor monitor(*this);
    RlIteration run(problem_, Acceleration("heavy-ball"), options_.image_steps, Curve(), monitor);
    RETURN_IF_ERROR(run.Start(std::move(x_)));
    ASSIGN_OR_RETURN(const BackProjection matched, MakeMatched(problem_));
    RETURN_IF_ERROR(run.RunTo(options_.image_steps, matched, /*accelerated=*/true));
    x_ = run.TakeEstimate();
    return absl::OkStatus();
  }

  // X, shifted by the centre of h, so that X* of something comes to lie on h's box, at the domain's origin.
  absl::StatusOr<std::unique_ptr<Otf>> ImageOtf() {
    std::vector<float> values(static_cast<size_t>(ops_.domain().voxels()));
    RETURN_IF_ERROR(ops_.Download(*x_, x_->box(), values));
    return ops_.MakeOtf(values, ops_.domain(), psf_.centre);
  }

  // X* m.
  absl::StatusOr<std::vector<float>> LightOf(const Otf& image) {
    std::unique_ptr<Array> ones;
    const Array* measured = problem_.mask;
    if (measured == nullptr) {
      ASSIGN_OR_RETURN(ones, ops_.Allocate(problem_.measured->box()));
      RETURN_IF_ERROR(ops_.Fill(*ones, 1));
      measured = ones.get();
    }
    ASSIGN_OR_RETURN(const std::unique_ptr<Array> light, ops_.Allocate({{}, psf_.shape}));
    RETURN_IF_ERROR(ops_.Convolve({&image, /*adjoint=*/true, Identity{measured}, Store{.output = light.get()}}));
    return ValuesOf(*light);
  }

  absl::StatusOr<std::vector<float>> ValuesOf(const Array& array) {
    std::vector<float> values(static_cast<size_t>(array.box().shape.voxels()));
    RETURN_IF_ERROR(ops_.Download(array, array.box(), values));
    return values;
  }

  absl::Status PsfStep(const Otf& image, const std::vector<float>& light, Array& back, Measures* measures) {
    const GuardedRatio ratio = QuotientOf(problem_, measures);
    RETURN_IF_ERROR(ops_.ConvolveThen({otf_.get(), /*adjoint=*/false, Identity{x_.get()}, ratio},
                                      {&image, /*adjoint=*/true, Identity{nullptr}, Store{.output = &back}}));
    ASSIGN_OR_RETURN(std::vector<float> quotient, ValuesOf(back));
    RETURN_IF_ERROR(pupil_ ? StepOfPupil(image, light, std::move(quotient)) : FreeStep(light, quotient));
    return RenewOtf();
  }

  absl::Status StepOfPupil(const Otf& image, const std::vector<float>& light, std::vector<float> quotient) {
    for (size_t i = 0; i < quotient.size(); ++i) quotient[i] -= light[i];
    RETURN_IF_ERROR(pupil_->Step({.problem = problem_, .x = *x_, .image = image, .excess = quotient}));
    psf_.values = pupil_->PsfNow();
    return absl::OkStatus();
  }

  absl::Status FreeStep(const std::vector<float>& light, const std::vector<float>& quotient) {
    const float least = kLeastLight * *std::max_element(light.begin(), light.end());
    for (size_t i = 0; i < psf_.values.size(); ++i) {
      psf_.values[i] = light[i] > least ? psf_.values[i] * std::max(quotient[i] / light[i], 0.0F) : 0.0F;
    }
    Symmetrise(options_.symmetry, psf_);
    return Normalise(psf_);
  }

  // Constant.
  Problem problem_;  // its OTF is that of `psf_`
  Ops& ops_;
  const PsfEstimationOptions options_;
  Monitor& monitor_;
  Curve rounds_;  // whose iterations are the rounds

  // From step to step.
  PreparedPsf psf_;
  std::optional<PupilFit> pupil_;
  std::unique_ptr<Otf> otf_;
  std::unique_ptr<Array> x_;
  int64_t done_ = 0, round_ = 0;
};

}  // namespace

absl::StatusOr<EstimatedPsf> EstimatePsfOf(Problem problem, PreparedPsf guess, const PsfEstimationOptions& options,
                                           Monitor& monitor) {
  Estimation run(problem, std::move(guess), options, monitor);
  RETURN_IF_ERROR(run.Begin());
  for (int64_t round = 0; round < options.rounds; ++round) RETURN_IF_ERROR(run.Round());
  return run.Take();
}

}  // namespace deconvoy::worker

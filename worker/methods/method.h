// A method of deconvolution: its description and its mathematics, written over worker/ops/backend.h.
//
// To add one: a file pair here, a line in registry.cc, a page in docs/methods, a test in tests/unit/worker/methods.
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "deconvoy/v1/jobs.pb.h"
#include "deconvoy/v1/methods.pb.h"
#include "proto/contract/parameters.h"
#include "worker/ops/backend.h"
#include "worker/psf/facts.h"
#include "worker/psf/prepare.h"
#include "worker/psf/pupil.h"

namespace deconvoy::worker {

// How far a run is after one of its iterations.
struct Iteration {
  int64_t done;           // so far, from 1
  int64_t total;          // to be done
  const Array& estimate;  // as the method iterates it: van-cittert's holds the background, too
  std::optional<v1::ObjectiveValue> objective = std::nullopt;  // where it is told (worker/methods/curve.h)
};

// Listens to a run. Called from the thread that runs the method.
class Monitor {
 public:
  virtual ~Monitor() = default;
  // An error (CANCELLED) ends the run with it.
  virtual absl::Status Iterated(const Iteration& iteration) = 0;
  // Whether it listens to the objectives; else they need not be found.
  virtual bool hears_curve() const { return true; }
};

// One view of a specimen, for a method that joins channels.
struct View {
  const Otf* otf = nullptr;         // PSF of sum 1
  const Array* measured = nullptr;  // y on M, which is the same for all views
  const Array* mask = nullptr;      // m on M; null for 1 everywhere
  float background = 0;             // b, photons
};

class Restorer;  // worker/methods/network.h

// One tile of one frame, on a padded domain.
struct Problem {
  Ops* ops = nullptr;
  const Otf* otf = nullptr;         // PSF of sum 1
  const Array* measured = nullptr;  // y: photons, covers the measured box M (the whole domain without EXTEND)
  const Array* mask = nullptr;      // m on M; null for 1 everywhere. With EXTEND only
  const Array* previous = nullptr;  // estimate to start from, on M; null unless `initial = previous` and there is one
  v1::Boundary boundary = v1::EXTEND;
  float background = 0;     // b, photons
  float mean = 0;           // mean of y over the whole frame, photons: the same for every tile
  float variance = 0;       // of y over the whole frame, photons^2
  PsfFacts psf = {};        // of the PSF of `otf`
  Voxel frame_origin = {};  // of the domain in the frame, for what must be cut alike in every tile
  // Voxel size along x over that of each axis, so that differences are per length; wraps around with PERIODIC.
  Differences differences = {};
  // Signal over noise by frequency, as a calibration found it (`Calibration.signal_to_noise`); empty where none did.
  std::span<const double> signal_to_noise = {};
  // Those of the given PSF, for a method that estimates it; null where they are not known.
  const KnownOptics* optics = nullptr;
  // With a method that joins channels: all views; empty where the problem is the only one. Then otf, y, m, b and PSF
  // above are those of the first, and mean and variance are the views' means.
  std::vector<View> views = {};
  Restorer* restorer = nullptr;  // of the method that runs models
};

// What a user should hear before a method runs.
struct Advice {
  std::string message;  // what is not as it should be, with numbers; without the channel
  std::string field;    // of the job, which could be changed
  std::string remedy;
};

// A PSF that was estimated from an image.
struct EstimatedPsf {
  PreparedPsf psf;
  std::vector<PupilMode> pupil = {};  // what aberrates it, where it was sought among the PSFs of the given optics
};

// One implementation per method. Stateless and shared between threads.
class Method {
 public:
  virtual ~Method() = default;

  // Name, parameters, boundaries, cost. Constant for the program's life.
  virtual const v1::Method& description() const = 0;

  // Whether it can run with these parameters, which are each in range, and a PSF like this one. Errors: INVALID_FIELD.
  virtual absl::StatusOr<std::vector<Advice>> Review(const Parameters& parameters, const PsfFacts& psf) const = 0;

  // Whether it can run on frames of such extents, whatever the tiles. Errors: INVALID_FIELD.
  virtual absl::Status ReviewFrame(const Parameters& /*parameters*/, const PsfFacts& /*psf*/,
                                   const Shape3& /*frame*/) const {
    return absl::OkStatus();
  }

  // What to say about a frame whose y has this mean and variance, in photons.
  virtual std::vector<Advice> ReviewCounts(double /*mean*/, double /*variance*/) const { return {}; }

  // P over the half spectrum of a domain, of a method that is the filter conj h^ / (|h^|^2 + lambda P) of y - b, in the
  // order of Ops::ReadMagnitude; empty of any other. Its `lambda` may be automatic.
  virtual std::vector<float> PenaltyOf(const Shape3& /*domain*/) const { return {}; }

  // The PSF that explains the image better than `guess` does, on the guess's box, where the method estimates it
  // (`estimates_psf`): before Run, whose problem then has the OTF of what was found. `problem.otf` and `problem.psf`
  // are not used. Errors: BAD_PSF, those of Ops and the monitor; INVALID_FIELD where it would have to know the optics;
  // UNIMPLEMENTED for a method that takes the PSF as given.
  virtual absl::StatusOr<EstimatedPsf> EstimatePsf(const Problem& /*problem*/, PreparedPsf /*guess*/,
                                                   const Parameters& /*parameters*/, Monitor& /*monitor*/) const {
    return absl::UnimplementedError("the method takes the PSF as it is given");
  }

  // The estimate, on at least M. `parameters` are resolved against `description()`; only of `nsr` may the value
  // still be automatic. Errors: those of Review, Ops and the monitor.
  virtual absl::StatusOr<std::unique_ptr<Array>> Run(const Problem& problem, const Parameters& parameters,
                                                     Monitor& monitor) const = 0;
};

// A method that keeps its description, and whose parameters suit every PSF unless it says otherwise.
class DescribedMethod : public Method {
 public:
  explicit DescribedMethod(v1::Method description) : description_(std::move(description)) {}
  const v1::Method& description() const final { return description_; }
  absl::StatusOr<std::vector<Advice>> Review(const Parameters&, const PsfFacts&) const override {
    return std::vector<Advice>{};
  }

 private:
  const v1::Method description_;
};

}  // namespace deconvoy::worker

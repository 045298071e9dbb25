// Runs a method of the worker on a volume in host memory, for tests that compare its results.
#pragma once

#include <absl/status/statusor.h>

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "tests/reference/reference.h"
#include "worker/methods/method.h"

namespace deconvoy::reference {

// What another view of the specimen saw, on the box of the first one's y.
struct EngineView {
  Volume y;
  Psf psf;
  double background = 0;
  const Volume* mask = nullptr;
};

struct EngineRun {
  Volume y;       // measured
  Shape3 domain;  // padded
  Voxel origin;   // of y in the domain
  Psf psf;
  std::map<std::string, std::string> parameters;
  v1::Boundary boundary = v1::EXTEND;
  double background = 0;
  double mean = 0;          // 0: that of y
  double variance = 0;      // of y over the frame
  Voxel frame_origin = {};  // of the domain
  worker::Differences differences = {};
  const Volume* mask = nullptr;      // on y's box; null: 1 everywhere
  const Volume* previous = nullptr;  // on y's box
  int threads = 2;
  worker::Backend* backend = nullptr;  // null: one of MakeEngineBackend
  worker::Monitor* monitor = nullptr;
  std::vector<double> signal_to_noise = {};  // by shell of frequencies
  std::vector<EngineView> other_views = {};  // beside y; then the mean is to be given
};

// The objectives of a run, of those iterations that tell one; `told` has all that they tell.
class Objectives final : public worker::Monitor {
 public:
  absl::Status Iterated(const worker::Iteration& iteration) override {
    if (iteration.objective) {
      values.push_back(iteration.objective->value());
      told.push_back(*iteration.objective);
    }
    return absl::OkStatus();
  }
  std::vector<double> values;
  std::vector<v1::ObjectiveValue> told;
};

// What a method makes of it, on y's box. REQUIRES: its name is known.
absl::StatusOr<Volume> RunMethod(std::string_view name, const EngineRun& run);
absl::StatusOr<Volume> RunRl(const EngineRun& run);
// The PSF that a method estimates from it, the run's being the guess. REQUIRES: the same.
absl::StatusOr<Psf> EstimatePsf(std::string_view name, const EngineRun& run);

double MeanOf(const Volume& volume);
double VarianceOf(const Volume& volume);

}  // namespace deconvoy::reference

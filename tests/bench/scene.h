// A measured frame with its PSF, and methods run on it with parameters by name: for measurements that judge results.
#pragma once

#include <absl/status/statusor.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "proto/contract/geometry.h"
#include "worker/methods/method.h"
#include "worker/psf/prepare.h"

namespace deconvoy::bench {

struct Scene {
  Shape3 shape;
  std::vector<float> photons;  // z,y,x
  std::vector<float> truth;    // likewise; empty where it is not known
  worker::PreparedPsf psf;
  float background = 0;  // photons
};

using ParameterTexts = std::map<std::string, std::string>;

// A scene in a backend's memory, padded as a job that is not cut into tiles. Both must outlive the runner.
class SceneRunner {
 public:
  SceneRunner(worker::Backend& backend, const Scene& scene, v1::Boundary boundary);

  // What `rl` makes of the scene, on the measured box. Errors: UNKNOWN_PARAMETER and PARAMETER_OUT_OF_RANGE where this
  // build does not have a parameter or choice.
  absl::StatusOr<std::vector<float>> Run(const ParameterTexts& parameters, worker::Monitor& monitor);
  absl::StatusOr<std::vector<float>> Run(const ParameterTexts& parameters);

 private:
  const Scene& scene_;
  const v1::Boundary boundary_;
  float mean_ = 0;
  std::unique_ptr<worker::Ops> ops_;
  std::unique_ptr<worker::Otf> otf_;
  std::unique_ptr<worker::Array> y_;
};

// Pearson's coefficient. REQUIRES: equally many values, not all the same.
double Correlation(const std::vector<float>& a, const std::vector<float>& b);
double Sum(const std::vector<float>& values);

}  // namespace deconvoy::bench

// Few iterations with an unmatched back projector against many plain ones, on simulated light-sheet data: a mixed
// specimen, a Gaussian PSF of sigma 4, 1.4, 1.4 voxels, 400 photons at the brightest voxel.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <vector>

#include "tests/bench/scene.h"

namespace deconvoy::bench {

struct LightSheetOptions {
  std::vector<int64_t> shape = {64, 192, 192};
  int plain_iterations = 30;
  int most_iterations = 10;  // tried with `parameters`, from 2 on
  double background_photons = 0;
  uint64_t seed = 7;
  ParameterTexts parameters = {
      {"back_projector", "wiener-butterworth"}, {"acceleration", "heavy-ball"}, {"initial", "image"}};
  int threads = 2;
};

// For each boundary: `plain` (correlation with the truth, light: sum over that of the truth), `fast` (the same for each
// number of iterations), `iterations_needed` (null when none of those tried suffices). {"available": false, "why"}
// where the method does not have a parameter or a value of it.
nlohmann::json MeasureLightSheet(const LightSheetOptions& options);

}  // namespace deconvoy::bench

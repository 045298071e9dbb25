// How the light of a series of planes fades and flickers.
//
// The light of a plane is its mean above the background. Bleaching: over time points the median over planes of a
// plane's light over its own mean in time, so that the specimen's shape along z does not matter; in a single stack the
// light of its planes itself. A polynomial of its logarithm is fitted robustly (robust_fit.h): of degree 1 in a stack
// and up to 7 time points, else 2. Planes are taken one after another: time point t and plane z of n are at t + z / n.
// In a stack what is fitted may be the specimen's own shape, unless every plane has all of its light, as in a widefield
// microscope.
//
// Flicker: what the logarithm deviates from a parabola through the planes up to four away, of which those count less
// that deviate much themselves; over time points after division by each plane's median in time. With fewer than 9
// planes time points take their place.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace deconvoy::worker {

// Light by frame and plane, t,z order. What is not above 0 is not known.
struct LightSeries {
  int64_t frames = 0;  // time points
  int64_t planes = 0;  // of each
  std::vector<double> light;

  double at(int64_t t, int64_t z) const { return light[static_cast<size_t>(t * planes + z)]; }
};

struct Bleaching {
  bool over_time = false;          // else over the planes of a stack
  double last = 1;                 // light of the last plane over that of the first, as fitted
  double spread = 0;               // relative, of what was fitted about the fit
  std::vector<float> factor = {};  // light of each plane over that of the first, as fitted; t,z order
};

// Mean of the voxels whose m is not 0; 0 of none. Where m is empty all count. REQUIRES: spans of one size else.
double MeanOfCounted(std::span<const float> photons, std::span<const float> m);

// None where there are fewer than 2 time points or else 8 planes with light.
std::optional<Bleaching> FitBleaching(const LightSeries& series);

struct Flicker {
  double deviation = 0;            // relative, robust, of the planes from their neighbours
  double whiteness = 0;            // 1 where planes do not know of one another, about 0 for a smooth specimen
  std::vector<float> factor = {};  // light of each plane over that of its neighbours; t,z order
};

// None where there are fewer than 9 planes, or else 9 time points, with light.
std::optional<Flicker> FitFlicker(const LightSeries& series);

// Light of the last plane over that of the first, of a line through the logarithms of the planes' light, averaged over
// time points; with the relative spread about it. What grows or falls along z in the same way at all times.
struct DepthLoss {
  double last = 1;
  double spread = 0;
};

// None where there are fewer than 3 time points or 8 planes with light.
std::optional<DepthLoss> FitDepthLoss(const LightSeries& series);

}  // namespace deconvoy::worker

// What becomes of the light from plane to plane and from time point to time point (worker/imaging/light.h): the factors
// by which it is corrected where that is asked for, else a finding where it matters.
#pragma once

#include <cstdint>
#include <vector>

#include "deconvoy/v1/jobs.pb.h"
#include "worker/imaging/light.h"

namespace deconvoy::worker {

struct LightSurvey {
  std::vector<float> plane_light;  // t,z order; empty: all 1
  std::vector<v1::Finding> findings;
};

// Of channel `c`.
LightSurvey SurveyLight(const v1::DeconvolveSpec& spec, int64_t c, const LightSeries& series);

}  // namespace deconvoy::worker

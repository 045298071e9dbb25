// What every worker computes before it takes work: a small phantom with a known answer, and how fast it goes.
//
// Phantom: 16 x 32 x 32 voxels, two points of 100 000 photons six columns apart on a background of 2, blurred without
// noise by a Gaussian whose width is 3 voxels; 10 plain Richardson-Lucy iterations, PERIODIC.
#pragma once

#include <vector>

#include "deconvoy/v1/workers.pb.h"
#include "worker/ops/backend.h"

namespace deconvoy::worker {

struct SelfTestPhantom {
  Shape3 shape;
  std::vector<float> truth;
  std::vector<float> measured;
  std::vector<float> psf;
  Shape3 psf_shape;
  float background;
  int iterations;
};

SelfTestPhantom MakeSelfTestPhantom();

// Brightest voxel of the right answer, from a double-precision computation that shares no code
// (tests/unit/worker/executor/self_test_test.cc).
inline constexpr double kSelfTestPeak = 15472.214336;

// Passes when the answer is finite, has the truth's flux within 5 % and the right peak within 0.1 %, and correlates
// with the truth by 0.5 and better than the measured image does. Takes well under a second. Never an error: what fails
// is said in the report.
v1::SelfTestReport RunSelfTest(Backend& backend);

}  // namespace deconvoy::worker

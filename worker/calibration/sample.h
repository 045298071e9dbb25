// A tile on which automatic parameters are found.
#pragma once

#include "worker/methods/method.h"

namespace deconvoy::worker {

struct CalibrationSample {
  Problem problem;
  Array* measured;  // that of the problem; its values may be lost
  Shape3 loaded;    // what of it has been measured; the rest, if any, mirrors it
};

}  // namespace deconvoy::worker

// What this program offers to compute.
#pragma once

#include <vector>

#include "deconvoy/v1/methods.pb.h"

namespace deconvoy::worker {

// Every method, also one that cannot be run here, which says why.
std::vector<v1::Method> OfferedMethods();

}  // namespace deconvoy::worker

// What could compute on this machine, as far as this build can see.
#pragma once

#include <string>

#include "worker/ops/backend.h"

namespace deconvoy::worker {

// For people, a line per device: the processors, and the NVIDIA devices where the build looks for them.
std::string ListDevices(const Backend& processors);

}  // namespace deconvoy::worker

// The backend that the tests of methods compute on: which one, a program chooses by the source that it links.
#pragma once

#include <memory>

#include "worker/ops/backend.h"

namespace deconvoy::reference {

// REQUIRES: the program does not skip all its tests for want of a device.
std::unique_ptr<worker::Backend> MakeEngineBackend(int threads);

}  // namespace deconvoy::reference

// What callers of the CUDA backend's operations must keep to.
#pragma once

#include <spdlog/spdlog.h>

#include <cstdlib>
#include <string_view>

namespace deconvoy::worker::cuda {

// A wrong argument is a bug of the caller, and ends the process.
inline void Require(bool met, std::string_view requirement) {
  if (met) return;
  spdlog::critical("operation of the CUDA backend: required that {}", requirement);
  std::abort();
}

}  // namespace deconvoy::worker::cuda

#pragma once

#include <cstdint>

namespace deconvoy::worker::learned {

// ln(1 + e^x) of n values, to 4e-7 of each or 1e-17. `to` may be `from`.
void Softplus(const float* from, int64_t n, float* to);

}  // namespace deconvoy::worker::learned

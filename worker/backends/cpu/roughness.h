// The derivative of a roughness, plane by plane.
#pragma once

#include "worker/backends/cpu/rows.h"
#include "worker/backends/cpu/thread_pool.h"
#include "worker/ops/backend.h"

namespace deconvoy::worker::cpu {

// As `Ops::DeriveRoughness`.
void DeriveRoughness(Roughness kind, const Extrapolate& p, const Differences& differences, float floor,
                     CpuArray& output, ThreadPool& pool);

}  // namespace deconvoy::worker::cpu

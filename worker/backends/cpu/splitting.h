// Splittings on the CPU: as rows of convolutions, and updated plane by plane.
#pragma once

#include <memory>

#include "worker/backends/cpu/rows.h"
#include "worker/backends/cpu/thread_pool.h"
#include "worker/ops/backend.h"

namespace deconvoy::worker::cpu {

// p of a SplitSum.
std::unique_ptr<RowSource> MakeSplitSource(const SplitSum& sum);

// Leaves z1' - u1' in every row of the domain that it is given.
std::unique_ptr<RowSink> MakeDataSink(const DataSplit& split, const Shape3& domain);

// As `Ops::UpdateSplit`.
PriorUpdate UpdateSplit(const CpuArray& x, const PriorSplit& split, float scale, ThreadPool& pool);

// As `Ops::SubtractDual`.
void SubtractDual(const CpuArray& v, const PriorSplit& split, float factor, CpuArray& output, ThreadPool& pool);

}  // namespace deconvoy::worker::cpu

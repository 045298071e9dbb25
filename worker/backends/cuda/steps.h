// The prologues and epilogues of worker/ops/backend.h as values of kernels.
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "worker/backends/cuda/convolver.h"
#include "worker/backends/cuda/cuda_array.h"

namespace deconvoy::worker::cuda {

// What enters a convolution, and outside which box it is 0.
struct Source {
  Start start;
  Box3 from;
};
Source MakeSource(const Prologue& prologue, const Shape3& domain);

Extrapolated ExtrapolatedOf(const Extrapolate& p);

// Of u of a PriorSplit, or with `less` of z - u; without parts where there are no slopes.
TakenBack TakenBackOf(const PriorSplit& split, bool less, const Shape3& domain);

// What becomes of a convolution. A GuardedRatio, a Residual or a DataSplit without output goes onward.
Sink MakeSink(const Epilogue& epilogue, const Shape3& domain);

// Doubles of the sums that the epilogue asks for; 0 when none.
int SumsOf(const Epilogue& epilogue);
// Writes them where the epilogue asks for them.
void Tell(const Epilogue& epilogue, const double* sums);

}  // namespace deconvoy::worker::cuda

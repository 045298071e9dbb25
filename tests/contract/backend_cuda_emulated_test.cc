// The operations and kernels of the CUDA backend keep the backends' contract, with loops for launches and FFTW for
// cuFFT.
#include "tests/contract/backend_finishing_suite.h"
#include "tests/contract/backend_neighbour_suite.h"
#include "tests/contract/backend_suite.h"
#include "tests/support/emulated_cuda.h"

namespace deconvoy::worker {
namespace {

std::unique_ptr<Backend> Make(int /*threads*/) {
  return cuda::MakeEmulatedCuda();
}

// A whole convolution in one chunk.
std::unique_ptr<Backend> MakeWithoutChunks(int /*threads*/) {
  return cuda::MakeEmulatedCuda({.chunk_bytes = int64_t{1} << 30});
}

INSTANTIATE_TEST_SUITE_P(EmulatedCuda, BackendSuite,
                         ::testing::Values(BackendCase{"chunks", Make}, BackendCase{"whole", MakeWithoutChunks}));
INSTANTIATE_TEST_SUITE_P(EmulatedCuda, SplittingSuite,
                         ::testing::Values(BackendCase{"chunks", Make}, BackendCase{"whole", MakeWithoutChunks}));
INSTANTIATE_TEST_SUITE_P(EmulatedCuda, StagingSuite,
                         ::testing::Values(BackendCase{"chunks", Make}, BackendCase{"whole", MakeWithoutChunks}));
INSTANTIATE_TEST_SUITE_P(EmulatedCuda, FinishingSuite,
                         ::testing::Values(BackendCase{"chunks", Make}, BackendCase{"whole", MakeWithoutChunks}));
INSTANTIATE_TEST_SUITE_P(EmulatedCuda, NeighbourSuite,
                         ::testing::Values(BackendCase{"chunks", Make}, BackendCase{"whole", MakeWithoutChunks}));

}  // namespace
}  // namespace deconvoy::worker
